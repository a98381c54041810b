//! The doubles of AWS that other tests rely on: the SDKs understand them, a runtime can live on them.

mod support;

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use aws_sdk_iam::types::PolicyUsageType;
use serde_json::{Value, json};
use support::fake_aws::{FakeAws, Fault, How, Policy, Role, World};
use support::python::python;
use support::runtime_api::{self, Answer, Function, Invocation};

// --- AWS -------------------------------------------------------------------

fn world() -> World {
    let mut world = World { page_sizes: vec![1, 0, 2], ..World::small() };
    world.policies.push(Policy { of_aws: true, ..Policy::new("ReadOnlyAccess") });
    world.empty_profiles.push("empty".to_owned());
    world.secrets.insert("github".to_owned(), "the-value<&>".to_owned());
    let read = format!("arn:aws:iam::{}:policy/read", world.account);
    let inline = ["a", "b", "c"].map(|name| (name.to_owned(), json!({"Statement": [name]})));
    let full = Role {
        inline: inline.to_vec(),
        attached: vec![read.clone(), "arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned()],
        boundary: Some(read.clone()),
        profiles: ["x", "y", "z"].map(str::to_owned).to_vec(),
        tags: vec![("team".to_owned(), "lyon".to_owned())],
        ..Role::new("full")
    };
    world.roles.push(full);
    for name in ["audit", "build"] {
        world.role(name).attached.push(read.clone());
    }
    world
}

fn config(aws: &FakeAws) -> aws_config::SdkConfig {
    let credentials = aws_sdk_iam::config::Credentials::new("ASIAEXAMPLE", "key", None, None, "");
    aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .endpoint_url(&aws.endpoint)
        .region(aws_config::Region::from_static("us-east-1"))
        .credentials_provider(aws_sdk_iam::config::SharedCredentialsProvider::new(credentials))
        .build()
}

#[tokio::test]
async fn parts_of_a_role_are_listed_on_pages() {
    let aws = FakeAws::start(world());
    let iam = aws_sdk_iam::Client::new(&config(&aws));
    let role = iam.get_role().role_name("full").send().await.expect("a role").role.expect("it");
    assert_eq!(role.description(), Some("what full does"));
    assert_eq!(role.max_session_duration(), Some(7200));
    assert_eq!(role.tags().len(), 1);
    let boundary = role.permissions_boundary.expect("a boundary").permissions_boundary_arn;
    assert_eq!(boundary.as_deref(), Some("arn:aws:iam::111122223333:policy/read"));

    let pages = iam.list_role_policies().role_name("full").into_paginator().items().send();
    let names: Vec<String> = pages.try_collect().await.expect("inline policies");
    assert_eq!(names, ["a", "b", "c"]);
    let policy = iam.get_role_policy().role_name("full").policy_name("b").send().await;
    let policy = policy.expect("an inline policy");
    assert_eq!(policy.policy_document(), "%7B%22Statement%22%3A%5B%22b%22%5D%7D");

    let pages = iam.list_attached_role_policies().role_name("full").into_paginator().items();
    let attached: Vec<_> = pages.send().try_collect().await.expect("attached policies");
    assert_eq!(attached[1].policy_name(), Some("ReadOnlyAccess"));

    let pages = iam.list_instance_profiles_for_role().role_name("full").into_paginator().items();
    let profiles: Vec<_> = pages.send().try_collect().await.expect("instance profiles");
    let names: Vec<_> = profiles.iter().map(|profile| profile.instance_profile_name()).collect();
    assert_eq!(names, ["x", "y", "z"]);
    for (name, roles) in [("y", vec!["full"]), ("empty", vec![])] {
        let answer = iam.get_instance_profile().instance_profile_name(name).send().await;
        let profile = answer.expect("a profile").instance_profile.expect("it");
        let found: Vec<_> = profile.roles().iter().map(|role| role.role_name()).collect();
        assert_eq!(found, roles);
    }
    let requests = aws.take_requests();
    let count = |name| requests.iter().filter(|request| request.operation == name).count();
    assert_eq!((count("ListRolePolicies"), count("GetRolePolicy")), (3, 1));
}

#[tokio::test]
async fn policies_tell_who_uses_them() {
    let aws = FakeAws::start(world());
    let iam = aws_sdk_iam::Client::new(&config(&aws));
    let arn = "arn:aws:iam::111122223333:policy/read";
    let policy = iam.get_policy().policy_arn(arn).send().await.expect("a policy");
    let policy = policy.policy.expect("it");
    assert_eq!(policy.attachment_count(), Some(3));
    assert_eq!(policy.permissions_boundary_usage_count(), Some(1));
    assert_eq!(policy.default_version_id(), Some("v2"));
    let version = iam.get_policy_version().policy_arn(arn).version_id("v2").send().await;
    assert!(version.expect("a version").policy_version.expect("it").is_default_version());

    for (usage, expected) in [
        (PolicyUsageType::PermissionsPolicy, vec!["audit", "build", "full"]),
        (PolicyUsageType::PermissionsBoundary, vec!["full"]),
    ] {
        let pages = iam.list_entities_for_policy().policy_arn(arn).policy_usage_filter(usage);
        let mut pages = pages.into_paginator().send();
        let mut names = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.expect("a page");
            names.extend(page.policy_roles.into_iter().flatten().filter_map(|role| role.role_name));
        }
        assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
    }
    let of_aws = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    assert!(iam.get_policy().policy_arn(of_aws).send().await.is_ok());
}

#[tokio::test]
async fn what_is_gone_is_no_such_entity() {
    let aws = FakeAws::start(world());
    let iam = aws_sdk_iam::Client::new(&config(&aws));
    aws.world().role("full").exists = false;
    let error = iam.list_role_policies().role_name("full").send().await.expect_err("it is gone");
    assert!(error.into_service_error().is_no_such_entity_exception());
    let error = iam.get_role_policy().role_name("audit").policy_name("none").send().await;
    let error = error.expect_err("there is none").into_service_error();
    assert_eq!(error.meta().message(), Some("The role policy with name none cannot be found."));
    let error = iam.get_instance_profile().instance_profile_name("x").send().await;
    assert!(
        error.expect_err("its role is gone").into_service_error().is_no_such_entity_exception()
    );
    let error = iam.get_policy().policy_arn("arn:aws:iam::111122223333:policy/none").send().await;
    assert!(error.expect_err("there is none").into_service_error().is_no_such_entity_exception());
}

#[tokio::test]
async fn secrets_are_kept_and_refused() {
    let aws = FakeAws::start(world());
    let secrets = aws_sdk_secretsmanager::Client::new(&config(&aws));
    let parameters = aws_sdk_ssm::Client::new(&config(&aws));
    let secret = secrets.get_secret_value().secret_id("github").send().await.expect("a secret");
    assert_eq!(secret.secret_string(), Some("the-value<&>"));
    let arn = secret.arn().expect("an ARN");
    assert!(secrets.get_secret_value().secret_id(arn).send().await.is_ok());
    let parameter = parameters.get_parameter().name("github").with_decryption(true).send().await;
    let parameter = parameter.expect("a parameter").parameter.expect("it");
    assert_eq!(parameter.value(), Some("the-value<&>"));

    let error = secrets.get_secret_value().secret_id("none").send().await.expect_err("none");
    assert!(error.into_service_error().is_resource_not_found_exception());
    let error = parameters.get_parameter().name("none").send().await.expect_err("none");
    assert!(error.into_service_error().is_parameter_not_found());
    aws.world().faults.push(Fault::new("GetSecretValue", How::Denied));
    let error = secrets.get_secret_value().secret_id("github").send().await.expect_err("denied");
    assert_eq!(error.into_service_error().meta().code(), Some("AccessDeniedException"));
}

// --- Lambda ----------------------------------------------------------------

/// A runtime that does what its events say.
const RUNTIME: &str = r#"
import http.client, json, os, sys, time

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
root = "/2018-06-01/runtime/"

def ask(method, path, body=None):
    api.request(method, root + path, body)
    answer = api.getresponse()
    return answer, answer.read()

if "FAILS_AT_ONCE" in os.environ:
    error = {"errorType": "Settings", "errorMessage": "no"}
    ask("POST", "init/error", json.dumps(error))
    sys.exit(1)
while True:
    answer, body = ask("GET", "invocation/next")
    request = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    left = int(answer.headers["Lambda-Runtime-Deadline-Ms"]) - time.time() * 1000
    event = json.loads(body)
    print("got", event["do"], flush=True)
    print("to stderr", file=sys.stderr, flush=True)
    if event["do"] == "sleep":
        time.sleep(60)
    elif event["do"] == "die":
        sys.exit(3)
    elif event["do"] == "fail":
        error = {"errorType": "Broken", "errorMessage": "it is", "stackTrace": []}
        ask("POST", f"invocation/{request}/error", json.dumps(error))
    else:
        response = {"request": request, "left": left, "name": os.environ["AWS_LAMBDA_FUNCTION_NAME"]}
        ask("POST", f"invocation/{request}/response", json.dumps(response))
"#;

fn function(environment: &[(&str, String)]) -> Function {
    let mut program = Command::new(python());
    program.args(["-c", RUNTIME]);
    Function::of(program, environment)
}

fn event(what: &str) -> Value {
    json!({"do": what})
}

#[test]
fn function_answers_one_invocation_after_the_other() {
    let functions = [function(&[]), function(&[])];
    for function in &functions {
        let outcome = function.invoke(&event("answer"));
        assert_eq!((&*outcome.stdout, &*outcome.stderr), ("got answer\n", "to stderr\n"));
        assert_eq!(outcome.succeeded()["name"], runtime_api::FUNCTION_NAME);
    }
    for function in &functions {
        let invocation = Invocation::new(&event("answer"))
            .request_id("the-request")
            .time(Duration::from_secs(20));
        let response = function.invoke(invocation).succeeded();
        assert_eq!(response["request"], "the-request");
        let left = response["left"].as_f64().expect("a number");
        assert!((15_000.0..=20_000.0).contains(&left), "{left}");

        let outcome = function.invoke(&event("fail"));
        assert_eq!(outcome.log(), "got fail\nto stderr\n");
        let error = outcome.failed();
        assert_eq!((&*error.error_type, &*error.error_message), ("Broken", "it is"));
        assert!(function.is_alive());
        assert!(function.start_time() > Duration::ZERO);
        assert!(function.peak_memory() > 1_000_000);
        assert!(function.cpu_time() < Duration::from_secs(10));
    }
}

#[test]
fn function_that_ends_fails_its_invocation() {
    let died = function(&[]).invoke(&event("die")).answer;
    assert!(matches!(died, Answer::Died(status) if status.code() == Some(3)), "{died:?}");

    let late = function(&[]);
    let invocation = Invocation::new(&event("sleep")).time(Duration::from_millis(300));
    assert_eq!(late.invoke(invocation).answer, Answer::TimedOut);
    assert!(!late.is_alive());

    let killed = function(&[]);
    killed.start_time();
    killed.send(&event("sleep"));
    killed.kill();
    assert!(matches!(killed.outcome().answer, Answer::Died(status) if status.code().is_none()));

    let broken = function(&[("FAILS_AT_ONCE", String::new())]);
    let answer = broken.invoke(&event("answer")).answer;
    assert!(matches!(answer, Answer::InitError(error) if error.error_type == "Settings"));
}
