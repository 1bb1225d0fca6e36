"""Where the homeserver of this node keeps what its commands and checks ask for; here, Synapse."""
import re

state = '/var/lib/pibake/matrix'
units = ['pibake-matrix-setup.service', 'matrix-synapse.service']
# Why there is no homeserver on this image, if there is none.
missing = None


def server_name():
    with open('/etc/matrix-synapse/conf.d/server_name.yaml', encoding='utf-8') as file:
        return re.search(r'^server_name: *"?([^"\n]+)"?', file.read(), re.M).group(1)
