"""The anaconda.org API at ``/api``, and the upload endpoints of other servers: thin handlers over the same services."""
