"""The operators' workbench and the job console: reads of many domains, no tables of its own."""
