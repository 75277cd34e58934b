"""Compares what a foreign suite found with the list of what is known to fail."""
import collections
import pathlib
import xml.etree.ElementTree as ElementTree


def known_failures(path):
    """A list file: "CASE # reason" a line; a line that begins with # is a comment. Every case needs its reason."""
    known = {}
    for line in pathlib.Path(path).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            case, mark, reason = line.partition(" # ")
            assert mark and reason.strip(), f"{path}: no reason behind {line!r}"
            known[case.strip()] = reason.strip()
    return known


def read_junit(path):
    """{case: (outcome, first line of why)} of a JUnit file; outcomes are passed, failed and skipped."""
    found = {}
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        outcome, why = "passed", ""
        for kind in ("failure", "error", "skipped"):
            element = case.find(kind)
            if element is not None:
                outcome = "skipped" if kind == "skipped" else "failed"
                why = (element.get("message") or "").split("\n")[0]
                break
        found[name] = (outcome, why)
    return found


def judge(results, known, least):
    """Fails on what failed and is not listed, on what is listed and passed, and on fewer than `least` passed cases."""
    count = collections.Counter(outcome for outcome, _ in results.values())
    score = ", ".join(f"{count[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))
    print(score)
    wrong = [f"{case}: {why}" for case, (outcome, why) in sorted(results.items())
             if outcome == "failed" and case not in known]
    wrong += [f"{case}: is listed as known to fail but passed: take it off the list" for case in sorted(known)
              if results.get(case, ("", ""))[0] == "passed"]
    wrong += [f"{case}: is listed as known to fail but there is no such case" for case in sorted(known)
              if case not in results]
    assert not wrong, score + "\n" + "\n".join(wrong)
    assert count["passed"] >= least, f"{score}: at least {least} are to pass"
