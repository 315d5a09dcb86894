"""Stand-ins for servers that cannot be had in tests; they live here and cannot be reached by a production URL."""
