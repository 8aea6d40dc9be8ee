"""The demo, and load with proof: drives a gateway over HTTP as its users do, and checks what the simulator saw."""
