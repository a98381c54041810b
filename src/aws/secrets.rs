//! Secrets that AWS keeps: read when they are needed, never kept here.

use std::time::Instant;

use aws_config::{Region, SdkConfig};
use secrecy::SecretString;

use super::CallError;
use super::call::in_time;

/// Secrets Manager, and the parameters of Systems Manager.
#[derive(Clone, Debug)]
pub struct Secrets {
    secrets_manager: aws_sdk_secretsmanager::Client,
    ssm: aws_sdk_ssm::Client,
}

impl Secrets {
    pub fn new(config: &SdkConfig) -> Secrets {
        Secrets {
            secrets_manager: aws_sdk_secretsmanager::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
        }
    }

    /// The current value of a secret, by name or ARN; an ARN's own region is asked.
    ///
    /// # Errors
    ///
    /// The call failed or was not answered by the deadline, or the value is not text.
    pub async fn secret(
        &self,
        name: &str,
        deadline: Option<Instant>,
    ) -> Result<SecretString, CallError> {
        let call = "secretsmanager:GetSecretValue";
        let mut overrides = aws_sdk_secretsmanager::Config::builder();
        if let Some(region) = region_of(name) {
            overrides = overrides.region(region);
        }
        let request = self.secrets_manager.get_secret_value().secret_id(name).customize();
        let answer = in_time(call, deadline, request.config_override(overrides).send()).await?;
        let binary = answer.secret_binary.map(|blob| String::from_utf8(blob.into_inner()));
        let text = answer.secret_string.or_else(|| binary?.ok());
        text.map(SecretString::from).ok_or_else(|| CallError::empty(call))
    }

    /// The decrypted value of a parameter, by name or ARN; an ARN's own region is asked.
    ///
    /// # Errors
    ///
    /// The call failed, or was not answered by the deadline.
    pub async fn parameter(
        &self,
        name: &str,
        deadline: Option<Instant>,
    ) -> Result<SecretString, CallError> {
        let call = "ssm:GetParameter";
        let mut overrides = aws_sdk_ssm::Config::builder();
        if let Some(region) = region_of(name) {
            overrides = overrides.region(region);
        }
        let request = self.ssm.get_parameter().name(name).with_decryption(true).customize();
        let answer = in_time(call, deadline, request.config_override(overrides).send()).await?;
        let value = answer.parameter.and_then(|parameter| parameter.value);
        value.map(SecretString::from).ok_or_else(|| CallError::empty(call))
    }
}

fn region_of(name: &str) -> Option<Region> {
    let region = name.strip_prefix("arn:")?.split(':').nth(2)?;
    (!region.is_empty()).then(|| Region::new(region.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_comes_from_the_arn() {
        let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:git-AbCdEf";
        assert_eq!(region_of(arn), Some(Region::new("eu-west-1")));
        assert_eq!((region_of("git/token"), region_of("arn:aws:ssm::x")), (None, None));
    }
}
