"""Groups of an organization, collaborators of a package: who else may read, write or administer a package."""
