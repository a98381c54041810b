//! Change detection is real: one fault after the other goes into generated files, and each is seen.
//!
//! A judge that finds nothing wrong proves something only if it can find fault. The file that
//! `tests/plan.rs` holds to "imports only" is damaged here in every way that has cost an account.

mod support;

use std::collections::BTreeMap;

use support::module::{Module, Plan};
use support::python::{Emulator, project};
use support::repository::Repository;

/// What a plan is to say of one resource.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// Changed in place, in these arguments.
    Update(&'static [&'static str]),
    /// Destroyed and made anew.
    Replace,
    /// Imported and left as it is: no difference to the provider.
    Nothing,
    /// Not in the plan, so nobody manages it.
    Missing,
}

/// One edit of one generated file, and what it does.
struct Fault {
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// The damaged resource first, then what falls with it.
    seen: &'static [(&'static str, Seen)],
}

/// One fault for each resource, so that one plan judges them all.
const FAULTS: &[Fault] = &[
    Fault {
        name: "a permissions boundary is dropped",
        file: "iam_role.github-deploy.tf",
        from: "  permissions_boundary = aws_iam_policy.developer-boundary.arn\n",
        to: "",
        seen: &[("aws_iam_role.github-deploy", Seen::Update(&["permissions_boundary"]))],
    },
    Fault {
        name: "a role's description is lost",
        file: "iam_role.parcel-api.tf",
        from: "  description = \"Parcel tracking API on EC2\"\n",
        to: "",
        seen: &[("aws_iam_role.parcel-api", Seen::Update(&["description"]))],
    },
    Fault {
        name: "a session duration is changed",
        file: "iam_role.warehouse-console.tf",
        from: "max_session_duration = 28800",
        to: "max_session_duration = 14400",
        seen: &[("aws_iam_role.warehouse-console", Seen::Update(&["max_session_duration"]))],
    },
    Fault {
        name: "a session duration is lost, so the default holds",
        file: "iam_role.break-glass.tf",
        from: "  max_session_duration = 43200\n",
        to: "",
        seen: &[("aws_iam_role.break-glass", Seen::Update(&["max_session_duration"]))],
    },
    Fault {
        name: "a policy's description is lost, and what refers to the policy goes with it",
        file: "iam_policy.office-network.tf",
        from: "  description = \"Lyon 192.0.2.0/24, Tokyo 198.51.100.0/25, VPN 203.0.113.7\"\n",
        to: "",
        seen: &[
            ("aws_iam_policy.office-network", Seen::Replace),
            (
                "aws_iam_role_policy_attachment.team__eq__sorting__comma__site__eq__lyon__has__office-network",
                Seen::Replace,
            ),
        ],
    },
    Fault {
        name: "a role's path is changed",
        file: "iam_role.batch_worker.tf",
        from: "path        = \"/batch/\"",
        to: "path        = \"/\"",
        seen: &[("aws_iam_role.batch_worker", Seen::Replace)],
    },
    Fault {
        name: "a policy's path is lost, and what refers to it goes with it",
        file: "iam_policy.deploy-site.tf",
        from: "  path        = \"/ci/\"\n",
        to: "",
        seen: &[
            ("aws_iam_policy.deploy-site", Seen::Replace),
            ("aws_iam_role_policy_attachment.github-deploy__has__deploy-site", Seen::Replace),
        ],
    },
    Fault {
        name: "the order of a list is swapped in a service control policy",
        file: "organizations_policy.p-r7d2q9tz.tf",
        from: "\"eu-west-1\",\n              \"eu-west-3\",",
        to: "\"eu-west-3\",\n              \"eu-west-1\",",
        seen: &[("aws_organizations_policy.p-r7d2q9tz", Seen::Update(&["content"]))],
    },
    Fault {
        name: "the order of a list is swapped in an IAM document, which means the same",
        file: "iam_role.github-deploy.tf",
        from: "\"s3:GetObject\",\n          \"s3:PutObject\",",
        to: "\"s3:PutObject\",\n          \"s3:GetObject\",",
        seen: &[("aws_iam_role_policy.github-deploy__has__pipeline-state", Seen::Nothing)],
    },
    Fault {
        name: "a scalar becomes a list in a service control policy",
        file: "organizations_policy.p-s4h6w0jc.tf",
        from: "Action   = \"ec2:TerminateInstances\"",
        to: "Action   = [\"ec2:TerminateInstances\"]",
        seen: &[("aws_organizations_policy.p-s4h6w0jc", Seen::Update(&["content"]))],
    },
    Fault {
        name: "a scalar becomes a list in an IAM document, which means the same",
        file: "iam_role.parcel-api.tf",
        from: "Action   = \"ssm:GetParametersByPath\"",
        to: "Action   = [\"ssm:GetParametersByPath\"]",
        seen: &[("aws_iam_role_policy.parcel-api__has__read-config", Seen::Nothing)],
    },
    Fault {
        name: "a text becomes a number in a tag policy",
        file: "organizations_policy.p-95tags2k0w.tf",
        from: "            \"4711\",\n",
        to: "            4711,\n",
        seen: &[("aws_organizations_policy.p-95tags2k0w", Seen::Update(&["content"]))],
    },
    Fault {
        name: "the description of an organizations policy is lost, in place",
        file: "organizations_policy.p-k3v8x1m5.tf",
        from: "  description = \"No account leaves the organization, nor switches off its trail\"\n",
        to: "",
        seen: &[("aws_organizations_policy.p-k3v8x1m5", Seen::Update(&["description"]))],
    },
    Fault {
        name: "the type of an organizations policy is lost, so the default holds",
        file: "organizations_policy.p-n5b1y8ga.tf",
        from: "  type        = \"RESOURCE_CONTROL_POLICY\"\n",
        to: "",
        seen: &[
            ("aws_organizations_policy.p-n5b1y8ga", Seen::Replace),
            ("aws_organizations_policy_attachment.p-n5b1y8ga__on__r-ab12", Seen::Replace),
        ],
    },
    Fault {
        name: "a policy loses a tag",
        file: "iam_policy.parcel-data.tf",
        from: "    cost-center = \"4711\"\n",
        to: "",
        seen: &[("aws_iam_policy.parcel-data", Seen::Update(&["tags", "tags_all"]))],
    },
    Fault {
        name: "an instance profile loses a tag",
        file: "iam_role.parcel-api.tf",
        from: "    cost-center = \"4711\"\n",
        to: "",
        seen: &[("aws_iam_instance_profile.parcel-api", Seen::Update(&["tags", "tags_all"]))],
    },
    Fault {
        name: "a statement is changed",
        file: "iam_policy.developer-boundary.tf",
        from: "          \"account:*\",\n",
        to: "",
        seen: &[("aws_iam_policy.developer-boundary", Seen::Update(&["policy"]))],
    },
    Fault {
        name: "the version of a trust policy is dropped",
        file: "iam_role.legacy-report.tf",
        from: "    Version = \"2008-10-17\"\n",
        to: "",
        seen: &[("aws_iam_role.legacy-report", Seen::Update(&["assume_role_policy"]))],
    },
    Fault {
        name: "a condition's set operator is changed",
        file: "iam_role.customer-app.tf",
        from: "\"ForAllValues:StringEquals\"",
        to: "\"ForAnyValue:StringEquals\"",
        seen: &[("aws_iam_role_policy.customer-app__has__own-parcels", Seen::Update(&["policy"]))],
    },
    Fault {
        name: "anybody is spelled in the other way, which is not the same to the provider",
        file: "iam_role.catalog-reader.tf",
        from: "Principal = \"*\"",
        to: "Principal = { AWS = \"*\" }",
        seen: &[("aws_iam_role.catalog-reader", Seen::Update(&["assume_role_policy"]))],
    },
    Fault {
        name: "another role is imported than the resource names",
        file: "iam_role.thumbnails-role-x1y2z3a4.tf",
        from: "id = \"thumbnails-role-x1y2z3a4\"",
        to: "id = \"batch.worker\"",
        seen: &[("aws_iam_role.thumbnails-role-x1y2z3a4", Seen::Replace)],
    },
    Fault {
        name: "an attachment is of another policy than the one imported",
        file: "iam_role.warehouse-console.tf",
        from: "policy_arn = aws_iam_policy.team-sandbox.arn",
        to: "policy_arn = aws_iam_policy.parcel-data.arn",
        seen: &[(
            "aws_iam_role_policy_attachment.warehouse-console__has__team-sandbox",
            Seen::Replace,
        )],
    },
    Fault {
        name: "one of two inline policies is pasted into its role, which would delete the other",
        file: "iam_role.data+ml@tokyo.tf",
        from: "  tags = {\n    location = \"東京\"\n",
        to: "  inline_policy {\n    name   = \"forecast_read\"\n    policy = \"{}\"\n  }\n  \
             tags = {\n    location = \"東京\"\n",
        seen: &[("aws_iam_role.data__plus__ml__at__tokyo", Seen::Update(&["inline_policy"]))],
    },
    Fault {
        name: "an attachment is dropped with its import block",
        file: "iam_role.partner-audit.tf",
        from: "import {\n  to = aws_iam_role_policy_attachment.partner-audit__has-aws__SecurityAudit\n  \
               id = \"partner-audit/arn:aws:iam::aws:policy/SecurityAudit\"\n}\n\n\
               resource \"aws_iam_role_policy_attachment\" \"partner-audit__has-aws__SecurityAudit\" {\n  \
               role       = aws_iam_role.partner-audit.name\n  \
               policy_arn = \"arn:aws:iam::aws:policy/SecurityAudit\"\n}\n\n",
        to: "",
        seen: &[(
            "aws_iam_role_policy_attachment.partner-audit__has-aws__SecurityAudit",
            Seen::Missing,
        )],
    },
];

fn example() -> std::path::PathBuf {
    project().join("examples/account")
}

/// The example account as Terraform, and an emulator that holds it.
fn exported() -> (Repository, Emulator) {
    let repository = Repository::new();
    repository.export_from(&example(), &["--organizations-attachments"]);
    (repository, Emulator::start(Some(&example())))
}

fn assert_seen(fault: &str, plan: &Plan, address: &str, seen: Seen) {
    let actions: BTreeMap<_, _> = plan.actions().into_iter().map(split).collect();
    let action = actions.get(address).map(String::as_str);
    let is_imported = plan.imports().iter().any(|imported| imported == address);
    match seen {
        Seen::Update(arguments) => {
            assert_eq!(action, Some("update"), "{fault}: {address}");
            assert_eq!(plan.changed_arguments(address), arguments, "{fault}: {address}");
        }
        Seen::Replace => assert_eq!(action, Some("delete+create"), "{fault}: {address}"),
        Seen::Nothing => assert!(action.is_none() && is_imported, "{fault}: {address} {action:?}"),
        Seen::Missing => assert!(!plan.has(address), "{fault}: {address}"),
    }
}

fn split(action: String) -> (String, String) {
    let (address, action) = action.split_once(' ').expect("an address and its actions");
    (address.to_owned(), action.to_owned())
}

#[test]
fn every_fault_in_a_value_shows_in_the_plan_as_what_it_is() {
    let (repository, emulator) = exported();
    let whole = Module::new(&repository.root(), &emulator).plan();
    assert_eq!(whole.actions(), [""; 0]);
    for fault in FAULTS {
        repository.edit(&format!("terraform/{}", fault.file), fault.from, fault.to);
    }
    let plan = Module::new(&repository.root(), &emulator).plan();
    for fault in FAULTS {
        for (address, seen) in fault.seen {
            assert_seen(fault.name, &plan, address, *seen);
        }
    }

    let is_named = |action: &String| {
        let (address, _) = action.split_once(' ').expect("an address and its actions");
        FAULTS.iter().flat_map(|fault| fault.seen).any(|(named, _)| *named == address)
    };
    let others: Vec<_> = plan.actions().into_iter().filter(|action| !is_named(action)).collect();
    assert_eq!(others, [""; 0], "nothing but the damaged resources changes");
    assert_eq!(whole.imports().len(), plan.imports().len() + 1, "one attachment is dropped");
}

/// One edit that no plan survives.
struct Refused {
    name: &'static str,
    /// What the module holds: these files and the settings.
    files: &'static [&'static str],
    from: &'static str,
    to: &'static str,
    /// Part of Terraform's or the provider's error.
    error: &'static str,
}

const REFUSED: &[Refused] = &[
    Refused {
        name: "a policy variable is not escaped",
        files: &["iam_policy.developer-boundary.tf"],
        from: "$${aws:PrincipalTag/team}",
        to: "${aws:PrincipalTag/team}",
        error: "Extra characters after interpolation expression",
    },
    Refused {
        name: "a policy variable that looks like a reference is not escaped",
        files: &["iam_role.customer-app.tf"],
        from: "photos-example-com/$${cognito-identity.amazonaws.com:sub}",
        to: "photos-example-com/${cognito-identity.amazonaws.com}",
        error: "Reference to undeclared resource",
    },
    Refused {
        name: "a template directive is not escaped",
        files: &["iam_role.batch_worker.tf"],
        from: "Nightly sorting",
        to: "%{ Nightly sorting",
        error: "Invalid template control keyword",
    },
    Refused {
        name: "the import ID of a role is an ARN",
        files: &["iam_role.batch_worker.tf"],
        from: "id = \"batch_worker\"",
        to: "id = \"arn:aws:iam::111122223333:role/batch/batch_worker\"",
        error: "Cannot import non-existent remote object",
    },
    Refused {
        name: "the import ID of an inline policy has the wrong separator",
        files: &["iam_role.batch_worker.tf"],
        from: "id = \"batch_worker:queue\"",
        to: "id = \"batch_worker/queue\"",
        error: "must be of the form <role name>:<policy name>",
    },
    Refused {
        name: "the import ID of an attachment has the wrong separator",
        files: &["iam_role.batch_worker.tf"],
        from: "id = \"batch_worker/arn:aws:iam::aws:policy/service-role/",
        to: "id = \"batch_worker:arn:aws:iam::aws:policy:service-role:",
        error: "unexpected format for Import ID",
    },
    Refused {
        name: "the import ID of a policy is its name",
        files: &["iam_policy.office-network.tf"],
        from: "id = \"arn:aws:iam::111122223333:policy/office-network\"",
        to: "id = \"office-network\"",
        error: "could not parse import ID",
    },
    Refused {
        name: "the import ID of an organizations attachment is the wrong way round",
        files: &["organizations_policy.p-k3v8x1m5.tf"],
        from: "id = \"r-ab12:p-k3v8x1m5\"",
        to: "id = \"p-k3v8x1m5:r-ab12\"",
        error: "ListTargetsForPolicy: InvalidInputException",
    },
    Refused {
        name: "an organizations policy of AWS's own is imported",
        files: &["organizations_policy.p-r7d2q9tz.tf"],
        from: "id = \"p-r7d2q9tz\"",
        to: "id = \"p-FullAWSAccess\"",
        error: "cannot be imported",
    },
    Refused {
        name: "an import block is of an object that does not exist",
        files: &["iam_policy.office-network.tf"],
        from: "policy/office-network\"",
        to: "policy/office-network-gone\"",
        error: "Cannot import non-existent remote object",
    },
    Refused {
        name: "an import block has no resource",
        files: &["iam_policy.office-network.tf"],
        from: "to = aws_iam_policy.office-network",
        to: "to = aws_iam_policy.office_network",
        error: "Configuration for import target does not exist",
    },
    Refused {
        name: "two resources have one label",
        files: &["iam_policy.office-network.tf", "iam_policy.developer-boundary.tf"],
        from: "resource \"aws_iam_policy\" \"developer-boundary\"",
        to: "resource \"aws_iam_policy\" \"office-network\"",
        error: "Duplicate resource \"aws_iam_policy\" configuration",
    },
    Refused {
        name: "two import blocks have one address",
        files: &["iam_policy.office-network.tf", "iam_policy.developer-boundary.tf"],
        from: "to = aws_iam_policy.developer-boundary",
        to: "to = aws_iam_policy.office-network",
        error: "Duplicate import configuration",
    },
    Refused {
        name: "a role's description has a curly quote",
        files: &["iam_role.batch_worker.tf"],
        from: "Nightly sorting",
        to: "“Nightly” sorting",
        error: "cannot contain specially formatted single or double quotes",
    },
    Refused {
        name: "a session is longer than twelve hours",
        files: &["iam_role.break-glass.tf"],
        from: "= 43200",
        to: "= 43201",
        error: "expected max_session_duration to be in the range",
    },
    Refused {
        name: "a key stands twice in a document that is text",
        files: &["iam_role.batch_worker.tf"],
        from: "  policy = jsonencode({",
        to: "  policy = \"{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Version\\\":\\\"2012-10-17\\\"}\"\n}\n\n\
             locals {\n  rest = jsonencode({",
        error: "contains duplicate JSON keys",
    },
    Refused {
        name: "the policy type is newer than the provider",
        files: &["organizations_policy.p-r7d2q9tz.tf"],
        from: "\"SERVICE_CONTROL_POLICY\"",
        to: "\"FUTURE_POLICY\"",
        error: "expected type to be one of",
    },
    Refused {
        name: "an argument is misspelled",
        files: &["iam_role.batch_worker.tf"],
        from: "  description = ",
        to: "  desciption = ",
        error: "Unsupported argument",
    },
    Refused {
        name: "the module is of another account",
        files: &["iam_policy.office-network.tf", "provider.tf"],
        from: "allowed_account_ids = [\"111122223333\"]",
        to: "allowed_account_ids = [\"444455556666\"]",
        error: "AWS account ID not allowed: 111122223333",
    },
];

/// A module of a few of the generated files, one of them damaged.
fn damaged(source: &Repository, refused: &Refused) -> Repository {
    let repository = Repository::new();
    std::fs::create_dir(repository.root()).expect("a folder");
    for file in ["versions.tf", "provider.tf"].iter().chain(refused.files) {
        let path = format!("terraform/{file}");
        repository.write(&path, &source.read(&path));
    }
    let last = refused.files.last().expect("a file");
    repository.edit(&format!("terraform/{last}"), refused.from, refused.to);
    repository
}

/// Words as they are, whatever lines and frames Terraform puts them into.
fn words(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || "│╷╵".contains(c))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn every_fault_that_no_plan_survives_is_an_error_that_names_it() {
    let (source, emulator) = exported();
    for refused in REFUSED {
        let repository = damaged(&source, refused);
        // Some faults are found as early as here.
        let initialized = Module::initialize(&repository.root(), &emulator);
        let output = match initialized {
            Ok(module) => module.output(&["plan", "-input=false"]),
            Err(output) => output,
        };
        let error = words(&String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "{} is not seen", refused.name);
        assert!(error.contains(refused.error), "{}:\n{error}", refused.name);
    }
}

#[test]
fn a_resource_that_is_dropped_after_the_import_is_destroyed() {
    let (source, emulator) = exported();
    let attachment =
        "aws_iam_role_policy_attachment.batch_worker__has-aws__AmazonEC2ContainerServiceforEC2Role";
    let whole = Refused {
        name: "nothing is damaged yet",
        files: &["iam_role.batch_worker.tf"],
        from: "to = aws_iam_role.batch_worker\n",
        to: "to = aws_iam_role.batch_worker\n",
        error: "",
    };
    let repository = damaged(&source, &whole);
    let module = Module::new(&repository.root(), &emulator);
    assert_eq!(module.plan().imports().len(), 3);
    module.apply();

    let path = "terraform/iam_role.batch_worker.tf";
    let text = repository.read(path);
    let start = text.find(&format!("import {{\n  to = {attachment}")).expect("the attachment");
    repository.write(path, &text[..start]);
    assert_eq!(module.plan().actions(), [format!("{attachment} delete")]);
}

#[test]
fn an_inline_policy_that_is_pasted_into_its_role_is_not_where_it_is_expected() {
    let (source, emulator) = exported();
    let whole = Refused {
        name: "an inline policy moves into its role",
        files: &["iam_role.batch_worker.tf"],
        from: "import {\n  to = aws_iam_role_policy.batch_worker__has__queue\n  \
               id = \"batch_worker:queue\"\n}\n\n\
               resource \"aws_iam_role_policy\" \"batch_worker__has__queue\" {\n  \
               role = aws_iam_role.batch_worker.name\n  name = \"queue\"\n",
        to: "locals {\n",
        error: "",
    };
    let repository = damaged(&source, &whole);
    repository.edit(
        "terraform/iam_role.batch_worker.tf",
        "  tags = {\n",
        "  inline_policy {\n    name   = \"queue\"\n    policy = local.policy\n  }\n  tags = {\n",
    );
    let module = Module::new(&repository.root(), &emulator);
    let plan = module.plan();
    // The provider finds the same policy there: that is why only the count gives it away.
    assert_eq!(plan.actions(), [""; 0]);
    assert!(!plan.has("aws_iam_role_policy.batch_worker__has__queue"));
    module.apply();

    // From then on every inline policy that anybody adds is one to delete.
    emulator.call(
        "client.iam('PutRolePolicy', RoleName='batch_worker', PolicyName='new', \
         PolicyDocument='{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}}')",
    );
    let plan = module.plan();
    assert_eq!(plan.actions(), ["aws_iam_role.batch_worker update"]);
    assert_eq!(plan.changed_arguments("aws_iam_role.batch_worker"), ["inline_policy"]);
}
