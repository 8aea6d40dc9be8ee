"""The operator's command line. It speaks HTTP to a running gateway, and imports nothing else of ours."""
