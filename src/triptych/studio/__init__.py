"""The browser app: a queue of jobs, a gallery of portraits, a page and an HTTP API."""
