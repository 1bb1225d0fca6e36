"""Talks to a Matrix homeserver, by its client and administration interfaces (https://spec.matrix.org/latest/client-server-api/)."""
import hashlib
import hmac
import json
import os
import secrets
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from place import missing, server_name, state, units  # noqa: F401

own = 'http://127.0.0.1:8098'


class Refused(Exception):
    """The homeserver answered with an error."""

    def __init__(self, status, answer):
        super().__init__(f"{status} {answer.get('errcode', '')} {answer.get('error', '')}".strip())
        self.status, self.answer = status, answer


def trusting_nobody():
    """For an address that itself derives from the other's key."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def request(method, path, body=None, token=None, base=own, context=None, timeout=60):
    """The JSON of the answer. Raises `Refused`, or `OSError` when there is no homeserver."""
    headers = {'Content-Type': 'application/json'}
    if token:
        headers['Authorization'] = f'Bearer {token}'
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(base + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=timeout, context=context) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            answer = json.load(error)
        except ValueError:
            answer = {'error': error.reason}
        raise Refused(error.code, answer) from None


def quote(text):
    return urllib.parse.quote(text, safe='')


def wait_until_up(seconds, base=own, context=None):
    """Wait for the homeserver to answer: it takes minutes on a small computer. Raises what it last said.

    On an image that has none, the check that asked ends as skipped.
    """
    if missing:
        print('skipped:', missing)
        sys.exit(77)
    end = time.monotonic() + seconds
    while True:
        try:
            return request('GET', '/_matrix/client/versions', base=base, context=context, timeout=15)
        except (OSError, Refused):
            if time.monotonic() > end:
                raise
        time.sleep(1)


def register(name, password, admin=False):
    """Make an account by the secret that this machine shares with its homeserver. Returns the answer, with an access token."""
    with open(f'{state}/registration-secret', encoding='ascii') as file:
        secret = file.read().strip()
    path = '/_synapse/admin/v1/register'
    nonce = request('GET', path)['nonce']
    said = '\0'.join([nonce, name, password, 'admin' if admin else 'notadmin'])
    mac = hmac.new(secret.encode(), said.encode(), hashlib.sha1).hexdigest()
    return request('POST', path, {'nonce': nonce, 'username': name, 'password': password, 'admin': admin, 'mac': mac})


def log_in(name, password):
    identifier = {'type': 'm.id.user', 'user': name}
    return request('POST', '/_matrix/client/v3/login', {'type': 'm.login.password', 'identifier': identifier, 'password': password})


def keeper():
    """The access token of the account by which this machine administers its homeserver; made when it is first needed."""
    path = f'{state}/keeper.json'
    try:
        with open(path, encoding='ascii') as file:
            return json.load(file)['token']
    except FileNotFoundError:
        name = f'keeper-{secrets.token_hex(4)}'
        made = register(name, secrets.token_urlsafe(24), admin=True)
    handle = os.open(f'{path}.new', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, 'w', encoding='ascii') as file:
        json.dump({'user': made['user_id'], 'token': made['access_token']}, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(f'{path}.new', path)
    return made['access_token']


def new_token(uses=1, days=None):
    body = {'uses_allowed': uses}
    if days is not None:
        body['expiry_time'] = int((time.time() + days * 86400) * 1000)
    return request('POST', '/_synapse/admin/v1/registration_tokens/new', body, token=keeper())['token']


def sign_up(name, password, token, **place):
    """Make an account as a client does that has a token of the keeper's."""
    path = '/_matrix/client/v3/register'
    body = {'username': name, 'password': password, 'device_id': 'pibake'}
    try:
        return request('POST', path, body, **place)
    except Refused as refused:
        if refused.status != 401:
            raise
        session = refused.answer['session']
        flows = [flow['stages'] for flow in refused.answer['flows']]
    if token is None:
        raise Refused(401, {'errcode': 'TOKEN_NEEDED', 'error': f'the ways to register: {flows}'})
    said = {'type': 'm.login.registration_token', 'token': token, 'session': session}
    try:
        return request('POST', path, {**body, 'auth': said}, **place)
    except Refused as refused:
        if refused.status != 401 or 'm.login.registration_token' not in refused.answer.get('completed', []):
            raise
    return request('POST', path, {**body, 'auth': {'type': 'm.login.dummy', 'session': session}}, **place)


def remove_user(user):
    request('POST', f'/_synapse/admin/v1/deactivate/{quote(user)}', {'erase': True}, token=keeper())


def send(room, text, token, **place):
    """Returns the event's id once the homeserver has it for good."""
    path = f'/_matrix/client/v3/rooms/{quote(room)}/send/m.room.message/{secrets.token_hex(8)}'
    return request('PUT', path, {'msgtype': 'm.text', 'body': text}, token=token, **place)['event_id']


def messages(room, token, **place):
    """The newest texts of a room."""
    path = f'/_matrix/client/v3/rooms/{quote(room)}/messages?dir=b&limit=30'
    events = request('GET', path, token=token, **place)['chunk']
    return [event['content'].get('body') for event in events if event['type'] == 'm.room.message']


def await_message(room, text, token, seconds, **place):
    """Wait for a text to be in a room. Returns the seconds that it took; raises `TimeoutError`."""
    start = time.monotonic()
    while text not in (there := messages(room, token, **place)):
        if time.monotonic() - start > seconds:
            raise TimeoutError(f'"{text}" is not among {there}')
        time.sleep(1)
    return time.monotonic() - start
