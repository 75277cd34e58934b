"""What the integration suites share: processes, clients, images, private engines, leak checks."""
