"""Templates, style sheets, scripts and wording of the pages."""
