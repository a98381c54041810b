//! Answers as AWS documents them, where the emulator has what we taught it: users with a boundary,
//! SAML providers with tags, policy types of Organizations that are younger than it.

use super::support::fake_aws::{ACCOUNT, FakeAws, OrganizationsPolicy, World};
use super::support::repository::{Repository, differences};
use super::support::run::export;

const USER: &str = "<member>\
    <GroupList><member>Admins</member></GroupList>\
    <UserName>Alice</UserName>\
    <Path>/division_abc/</Path>\
    <PermissionsBoundary>\
      <PermissionsBoundaryType>PermissionsBoundaryPolicy</PermissionsBoundaryType>\
      <PermissionsBoundaryArn>arn:aws:iam::111122223333:policy/ManageUsers</PermissionsBoundaryArn>\
    </PermissionsBoundary>\
    <UserId>AIDACKCEVSQ6C2EXAMPLE</UserId>\
    <Arn>arn:aws:iam::111122223333:user/division_abc/Alice</Arn>\
    <CreateDate>2013-10-14T18:32:24Z</CreateDate>\
    <Tags><member><Key>team</Key><Value>a&amp;b</Value></member></Tags>\
    <AttachedManagedPolicies/>\
    </member>";

const GROUP: &str = "<member>\
    <GroupName>Admins</GroupName><Path>/</Path>\
    <GroupId>AGPACKCEVSQ6C2EXAMPLE</GroupId>\
    <Arn>arn:aws:iam::111122223333:group/Admins</Arn>\
    <CreateDate>2013-10-14T18:32:24Z</CreateDate>\
    <GroupPolicyList/><AttachedManagedPolicies/>\
    </member>";

const PROVIDERS: &str = "<SAMLProviderList><member>\
    <Arn>arn:aws:iam::111122223333:saml-provider/university</Arn>\
    <ValidUntil>2032-05-09T16:27:11Z</ValidUntil><CreateDate>2012-05-09T16:27:03Z</CreateDate>\
    </member></SAMLProviderList>";

const PROVIDER: &str = "<SAMLProviderUUID>SP1EXAMPLE</SAMLProviderUUID>\
    <CreateDate>2012-05-09T16:27:11Z</CreateDate><ValidUntil>2032-12-31T21:59:59Z</ValidUntil>\
    <SAMLMetadataDocument>METADATA</SAMLMetadataDocument>\
    <Tags><member><Key>Dept</Key><Value>12345</Value></member></Tags>\
    <AssertionEncryptionMode>Allowed</AssertionEncryptionMode>\
    <PrivateKeyList><member><KeyId>K1EXAMPLE</KeyId>\
    <Timestamp>2024-05-09T16:27:11Z</Timestamp></member></PrivateKeyList>";

/// Types of policies that the emulator has never heard of, and their folders.
const TYPES: [(&str, &str); 8] = [
    ("DECLARATIVE_POLICY_EC2", "declarative_policies_ec2"),
    ("SECURITYHUB_POLICY", "securityhub_policies"),
    ("UPGRADE_ROLLOUT_POLICY", "upgrade_rollout_policies"),
    ("INSPECTOR_POLICY", "inspector_policies"),
    ("BEDROCK_POLICY", "bedrock_policies"),
    ("S3_POLICY", "s3_policies"),
    ("NETWORK_SECURITY_DIRECTOR_POLICY", "network_security_director_policies"),
    ("GUARDDUTY_POLICY", "guardduty_policies"),
];

/// A policy of each of these types.
fn world() -> World {
    let policies = TYPES.iter().enumerate().map(|(number, (policy_type, _))| OrganizationsPolicy {
        policy_type: (*policy_type).to_owned(),
        ..OrganizationsPolicy::new(&format!("p-{number:08}"))
    });
    // Of a length that IAM takes.
    let metadata = format!("&lt;EntityDescriptor entityID=\"{}\"/&gt;", "x".repeat(1000));
    let details = format!(
        "<IsTruncated>false</IsTruncated><UserDetailList>{USER}</UserDetailList>\
         <GroupDetailList>{GROUP}</GroupDetailList><RoleDetailList/><Policies/>"
    );
    World {
        roles: Vec::new(),
        policies: Vec::new(),
        organizations_policies: policies.collect(),
        organization: Some(TYPES.iter().map(|(name, _)| (*name).to_owned()).collect()),
        answers: [
            ("GetAccountAuthorizationDetails", details),
            ("ListSAMLProviders", PROVIDERS.to_owned()),
            ("GetSAMLProvider", PROVIDER.replace("METADATA", &metadata)),
        ]
        .into(),
        ..World::small()
    }
}

#[test]
fn documented_answers_become_files() {
    let aws = FakeAws::start(world());
    let repository = Repository::new();
    export(&aws.environment(), repository.folder(), &["--quiet"]).succeeded();
    let tree = repository.tree();

    let user = repository.read("terraform/iam_user.Alice.tf");
    let boundary = format!("\"arn:aws:iam::{ACCOUNT}:policy/ManageUsers\"");
    for line in [
        &format!("permissions_boundary = {boundary}"),
        "path                 = \"/division_abc/\"",
        "team = \"a&b\"",
        "groups = [aws_iam_group.Admins.name]",
    ] {
        assert!(user.contains(line), "{line}:\n{user}");
    }
    let provider = repository.read("terraform/iam_saml_provider.university.tf");
    assert!(provider.contains("Dept = \"12345\""), "{provider}");
    let json = repository.read("saml_providers/university.json");
    assert!(json.contains("SP1EXAMPLE") && json.contains("\"Allowed\""), "{json}");
    assert!(!json.contains("K1EXAMPLE"), "keys are credentials:\n{json}");
    for (number, (policy_type, folder)) in TYPES.iter().enumerate() {
        let json = repository.read(&format!("{folder}/p-{number:08}.json"));
        assert!(json.contains(&format!("\"{policy_type}\"")), "{json}");
        let terraform =
            repository.read(&format!("terraform/organizations_policy.p-{number:08}.tf"));
        assert!(terraform.contains(&format!("\"{policy_type}\"")), "{terraform}");
    }

    export(&aws.environment(), repository.folder(), &["--quiet"]).succeeded();
    assert_eq!(differences(&tree, &repository.tree()), [""; 0]);
}
