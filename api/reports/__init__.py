"""Write self-contained HTML pages, plots and overlays."""
