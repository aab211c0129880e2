"""A reader and evaluator of NetworkPolicy objects (networking.k8s.io/v1).

Written from the Kubernetes API reference and the API server's validation. What the API server
would refuse is refused here, and so is any unknown field: a misspelt field is a hole.
"""

from workbench.verify.k8s.document import CannotRead, read
from workbench.verify.k8s.evaluate import Cluster, Place
from workbench.verify.k8s.objects import NetworkPolicy
from workbench.verify.k8s.telling import telling

__all__ = ["CannotRead", "Cluster", "NetworkPolicy", "Place", "read", "telling"]
