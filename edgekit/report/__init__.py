"""Reports: one self-contained HTML page for each verb, with plots."""
