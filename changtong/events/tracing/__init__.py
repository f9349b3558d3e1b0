"""Who was where, in what, with whom: stays and traces."""
