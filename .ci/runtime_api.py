"""Runs a program as AWS Lambda would, gives it one event that changed nothing, and wants an answer.

Of AWS it only tells whose credentials these are.

    runtime_api.py PROGRAM [ARGUMENT...]
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EVENT = {
    "source": "aws.iam",
    "detail-type": "AWS API Call via CloudTrail",
    "detail": {
        "eventSource": "iam.amazonaws.com",
        "eventName": "GetRole",
        "readOnly": True,
        "eventTime": "2026-11-22T10:15:00Z",
        "eventID": "00000000-0000-4000-8000-000000000000",
        "requestParameters": {"roleName": "deploy"},
        "userIdentity": {"type": "IAMUser", "userName": "dave"},
    },
}


CALLER = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:sts::111122223333:assumed-role/x/y</Arn>
<UserId>AROA:y</UserId><Account>111122223333</Account></GetCallerIdentityResult>
</GetCallerIdentityResponse>"""


class RuntimeApi(BaseHTTPRequestHandler):
    answer = None
    given = False
    answered = threading.Event()

    def do_GET(self):
        if RuntimeApi.given:
            RuntimeApi.answered.wait(60)
            return
        RuntimeApi.given = True
        body = json.dumps(EVENT).encode()
        self.send_response(200)
        for name, value in {
            "Lambda-Runtime-Aws-Request-Id": "1",
            "Lambda-Runtime-Deadline-Ms": "4102444800000",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:111122223333:function:x",
            "Content-Length": str(len(body)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/" and b"Action=GetCallerIdentity" in body:
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(CALLER)))
            self.end_headers()
            self.wfile.write(CALLER)
            return
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        RuntimeApi.answer = (self.path, body.decode())
        RuntimeApi.answered.set()

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "aws-iam-gitops",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_IAM_GITOPS_REPOSITORY": "https://git.invalid/iam",
            "PATH": os.environ["PATH"],
        }
        process = subprocess.Popen(sys.argv[1:], env=environment, cwd=folder)
        answered = RuntimeApi.answered.wait(30)
        process.kill()
        process.wait()
    if not answered:
        sys.exit("the program does not answer")
    path, body = RuntimeApi.answer
    print(path, body)
    if not path.endswith("/response"):
        sys.exit("the program does not answer with a response")


main()
