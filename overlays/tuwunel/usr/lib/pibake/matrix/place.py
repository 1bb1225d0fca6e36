"""Where the homeserver of this node keeps what its commands and checks ask for; here, tuwunel."""
import os

state = '/var/lib/pibake/tuwunel'
units = ['pibake-tuwunel-setup.service', 'tuwunel.service']
# Why there is no homeserver on this image, if there is none.
missing = None if os.access('/usr/lib/pibake/tuwunel/tuwunel', os.X_OK) else 'no tuwunel came with this image'


def server_name():
    with open(f'{state}/server-name', encoding='utf-8') as file:
        return file.read().strip()
