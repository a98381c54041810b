"""Serves one file over TLS.

    python file_server.py FILE CERTIFICATE

writes a certificate of its own for localhost to CERTIFICATE, prints the port as its first line and
serves FILE under any path until it is ended.
"""

import http.server
import pathlib
import ssl
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "provider"))
from mirror import certificate  # noqa: E402


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        content = pathlib.Path(sys.argv[1]).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def main():
    signed, private = certificate()
    path = pathlib.Path(sys.argv[2])
    path.write_bytes(signed)
    both = path.with_suffix(".key")
    both.write_bytes(private + signed)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
