#!/bin/sh
# push.sh REGISTRY_URI: builds the image, pushes it under the hash of its sources and prints the URI to deploy.
# REGISTRY_URI is the output RegistryUri of foundation.yaml; Docker and the AWS command line are needed.
set -eu
cd "$(dirname "$0")"
registry=$1
tag=$(cat Dockerfile start.sh | sha256sum | cut -c1-12)
image=$registry:$tag
if ! docker manifest inspect "$image" >/dev/null 2>&1; then
    aws ecr get-login-password | docker login --username AWS --password-stdin "${registry%%/*}" >&2
    docker build --platform linux/amd64 --tag "$image" . >&2
    docker push "$image" >&2
fi
echo "$image"
