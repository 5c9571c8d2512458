#!/bin/sh
# Runs inside the LocalStack container each time it is ready: community LocalStack keeps nothing, so every start deploys.
# `make compose-up` has put the bundles (layer merged) and the connections document where they are mounted.
set -eu

source_directory=${SLUICE_SOURCE:-/opt/sluice}
region=${AWS_DEFAULT_REGION:-us-east-1}
packaged=$(mktemp)
trap 'rm -f "$packaged"' EXIT
export AWS_DEFAULT_REGION="$region" AWS_PAGER=""

awslocal s3 mb s3://sluice-artifacts >/dev/null
version=$(awslocal secretsmanager create-secret --name sluice/local/connections \
    --secret-string "file://$source_directory/connections.json" --query VersionId --output text)
awslocal cloudformation package --template-file "$source_directory/bundles/template.yaml" --s3-bucket sluice-artifacts \
    --output-template-file "$packaged" >/dev/null
awslocal cloudformation deploy --template-file "$packaged" --stack-name sluice-local \
    --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --parameter-overrides Stage=local \
    ConnectionsSecret=sluice/local/connections "ConnectionsVersion=$version" "ApiEndpoint=$API_ENDPOINT"
answer=$(awslocal lambda invoke --function-name sluice-local-admin --payload '{"action": "migrate"}' \
    --query FunctionError --output text /dev/null)
[ "$answer" = None ] || { echo "the migration failed: $answer" >&2; exit 1; }
