// What VS Code's container client needs of the editor, for a process without one.
"use strict";

exports.ShellQuoting = { Escape: 1, Strong: 2, Weak: 3 };
exports.FileType = { Unknown: 0, File: 1, Directory: 2, SymbolicLink: 64 };
