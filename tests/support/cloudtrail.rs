//! CloudTrail's records of API calls, and the people and services who make them.

use serde_json::{Value, json};

use super::random::Random;
use super::runtime_api;

pub const ACCOUNT: &str = "123456789012";

/// What CloudTrail writes of one API call.
#[derive(Clone, Debug, PartialEq)]
pub struct Record(pub Value);

impl Record {
    pub fn event_name(&self) -> &str {
        self.text("eventName")
    }

    pub fn event_id(&self) -> &str {
        self.text("eventID")
    }

    /// `iam` or `organizations`.
    pub fn service(&self) -> &str {
        self.text("eventSource").split('.').next().unwrap_or_default()
    }

    /// Why AWS refused the call, if it did: then nothing changed.
    pub fn error_code(&self) -> Option<&str> {
        self.0["errorCode"].as_str()
    }

    /// The record as EventBridge passes it on.
    pub fn eventbridge(&self) -> Value {
        runtime_api::eventbridge(&self.0)
    }

    fn text(&self, member: &str) -> &str {
        self.0[member].as_str().unwrap_or_default()
    }
}

/// A call that AWS answered: what it asked for, and what came of it.
pub struct Call<'a> {
    /// `iam` or `organizations`.
    pub service: &'a str,
    pub operation: &'a str,
    pub request: Value,
    pub result: Result<Value, &'a str>,
}

/// Who calls, and from where.
#[derive(Clone, Debug)]
pub struct Actor {
    pub identity: Value,
    pub source: String,
}

/// A trail whose clock goes on a few seconds with each call.
pub struct Trail {
    random: Random,
    /// Seconds since the beginning of [`DAY`].
    seconds: u64,
}

/// The day on which everything happens.
const DAY: &str = "2026-11-22";

impl Trail {
    pub fn new(seed: u64) -> Trail {
        Trail { random: Random::new(seed ^ 0x7261_696c), seconds: 8 * 3600 }
    }

    /// The time of the last record, as responses give dates in CloudTrail.
    pub fn date(&self) -> String {
        let (hour, minute, second) = self.clock();
        let half = if hour < 12 { "AM" } else { "PM" };
        format!("Nov 22, 2026 {}:{minute:02}:{second:02} {half}", (hour + 11) % 12 + 1)
    }

    fn clock(&self) -> (u64, u64, u64) {
        (self.seconds / 3600 % 24, self.seconds / 60 % 60, self.seconds % 60)
    }

    /// Who makes the next calls.
    pub fn actor(&mut self) -> Actor {
        let actors = actors();
        self.random.pick(&actors).expect("there are actors")
    }

    pub fn record(&mut self, actor: &Actor, call: Call<'_>) -> Record {
        // Calls of the same second are usual: their order is then anybody's guess.
        self.seconds += self.random.below(4) as u64;
        let (hour, minute, second) = self.clock();
        let source = format!("{}.amazonaws.com", call.service);
        let mut record = json!({
            "eventVersion": "1.11",
            "userIdentity": actor.identity,
            "eventTime": format!("{DAY}T{hour:02}:{minute:02}:{second:02}Z"),
            "eventSource": source,
            "eventName": call.operation,
            "awsRegion": "us-east-1",
            "sourceIPAddress": actor.source,
            "userAgent": "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.8.0",
            "requestParameters": call.request,
            "responseElements": null,
            "requestID": self.random.uuid(),
            "eventID": self.random.uuid(),
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Management",
            "tlsDetails": {
                "tlsVersion": "TLSv1.3",
                "cipherSuite": "TLS_AES_128_GCM_SHA256",
                "clientProvidedHostHeader": source,
            },
        });
        match call.result {
            Ok(response) => record["responseElements"] = response,
            Err(code) => {
                record["errorCode"] = code.into();
                record["errorMessage"] = format!("{} was refused", call.operation).into();
            }
        }
        Record(record)
    }
}

fn actors() -> Vec<Actor> {
    let actor = |identity, source: &str| Actor { identity, source: source.to_owned() };
    let sso = "AWSReservedSSO_Administrator_0123456789abcdef";
    let cloudformation = "cloudformation.amazonaws.com";
    let mut through_cloudformation = session(sso, "carol@example.com");
    through_cloudformation["invokedBy"] = cloudformation.into();
    vec![
        actor(session(sso, "alice@example.com"), "203.0.113.7"),
        actor(session(sso, "bob+admin@example.com"), "2001:db8::7"),
        actor(session("github-deploy", "GitHubActions"), "198.51.100.23"),
        actor(through_cloudformation, cloudformation),
        actor(
            json!({
                "type": "IAMUser",
                "principalId": "AIDAEXAMPLEDAVE00000",
                "arn": format!("arn:aws:iam::{ACCOUNT}:user/staff/dave"),
                "accountId": ACCOUNT,
                "accessKeyId": "AKIAEXAMPLEDAVE00000",
                "userName": "dave",
            }),
            "192.0.2.44",
        ),
        actor(
            json!({
                "type": "Root",
                "principalId": ACCOUNT,
                "arn": format!("arn:aws:iam::{ACCOUNT}:root"),
                "accountId": ACCOUNT,
                "accessKeyId": "ASIAEXAMPLEROOT00000",
            }),
            "192.0.2.1",
        ),
        actor(
            json!({"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}),
            "autoscaling.amazonaws.com",
        ),
    ]
}

/// Somebody who has assumed a role.
fn session(role: &str, name: &str) -> Value {
    let id = "AROAEXAMPLE000000000";
    json!({
        "type": "AssumedRole",
        "principalId": format!("{id}:{name}"),
        "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}"),
        "accountId": ACCOUNT,
        "accessKeyId": "ASIAEXAMPLE000000000",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": id,
                "arn": format!("arn:aws:iam::{ACCOUNT}:role/{role}"),
                "accountId": ACCOUNT,
                "userName": role,
            },
            "attributes": {"creationDate": "2026-11-22T07:58:13Z", "mfaAuthenticated": "false"},
        },
    })
}
