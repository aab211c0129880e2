"""The pages of the Exposure screen: what each shows, worked out from the session in a worker."""
