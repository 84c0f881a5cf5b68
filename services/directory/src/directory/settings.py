"""What this service is told from outside, beside what every service is."""

import service


class Settings(service.Settings):
    grpc_address: service.Address = "127.0.0.1:7101"
    admin_address: service.Address = "127.0.0.1:7201"
