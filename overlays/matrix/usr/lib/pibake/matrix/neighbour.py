"""What the checks between nodes share: a user here, in the room that the peer's script made."""
import os
import re
import secrets

import homeserver as hs


class Meeting:
    """A user of this homeserver in a room of the peer's, whose own user is spoken for as well."""

    def __init__(self):
        name = os.environ['PEER_SERVER']
        host = re.sub(r':[0-9]+$', '', name)
        self.peer = {'base': f'https://{host}:8448', 'context': hs.trusting_nobody(), 'token': os.environ['PEER_TOKEN']}
        self.room = os.environ['PEER_ROOM']
        hs.wait_until_up(300)
        made = hs.register(f'lab-{secrets.token_hex(4)}', secrets.token_hex(16))
        self.user, self.token = made['user_id'], made['access_token']
        path = f'/_matrix/client/v3/join/{hs.quote(self.room)}?server_name={hs.quote(name)}&via={hs.quote(name)}'
        end = hs.time.monotonic() + 180
        while True:
            try:
                hs.request('POST', path, {}, token=self.token, timeout=120)
                break
            except (OSError, hs.Refused) as error:
                if hs.time.monotonic() > end:
                    raise
                print('not joined yet:', error, flush=True)
                hs.time.sleep(5)
        print(self.user, 'joined', self.room, 'of', name, flush=True)

    def leave(self):
        hs.request('POST', f'/_matrix/client/v3/rooms/{hs.quote(self.room)}/leave', {}, token=self.token)
        hs.remove_user(self.user)
