"""The window around the pages: commands, palette, help, notices, models, the Explore page."""
