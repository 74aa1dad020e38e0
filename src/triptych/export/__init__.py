"""Out of the package: pictures, videos and meshes."""
