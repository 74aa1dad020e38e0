"""A portrait as one HTML file that renders its tri-planes in the browser."""
