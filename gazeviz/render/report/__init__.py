"""Session reports: words, pages, figures and tables."""
