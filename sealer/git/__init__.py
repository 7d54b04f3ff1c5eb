"""Git: what a work tree has committed. The only package that talks to Git."""
