"""Bundles for an emulator that mounts no layers."""

import json
from pathlib import Path

from deploy import bundles

TEMPLATE = """
Globals: {Function: {Runtime: python3.13, Layers: [!Ref CommonLayer]}}
Resources:
  CommonLayer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: CommonLayer}}
  IngestFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: IngestFunction, Role: !GetAtt Role.Arn}
  Role: {Type: AWS::IAM::Role}
  LoggingLayer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: LoggingLayer}}
"""


def test_a_bundle_holds_function_and_layer_and_the_template_no_layer(tmp_path: Path) -> None:
    built = tmp_path / "sam"
    (built / "CommonLayer/python/sluice").mkdir(parents=True)
    (built / "CommonLayer/python/sluice/errors.py").write_text("layer")
    (built / "IngestFunction").mkdir()
    (built / "IngestFunction/app.py").write_text("function")
    (built / "LoggingLayer/python").mkdir(parents=True)
    (built / "LoggingLayer/python/client.py").write_text("client")
    (built / "template.yaml").write_text(TEMPLATE)
    for _ in range(2):  # over what an earlier deployment left, too
        path = bundles.merge(built, tmp_path / "merged")
    template = json.loads(path.read_text())
    assert template["Globals"] == {"Function": {"Runtime": "python3.13"}}
    assert template["Resources"].keys() == {"IngestFunction", "Role", "LoggingLayer"}
    assert template["Resources"]["IngestFunction"]["Properties"]["Role"] == {"Fn::GetAtt": ["Role", "Arn"]}
    assert (path.parent / "IngestFunction/app.py").read_text() == "function"
    assert (path.parent / "IngestFunction/sluice/errors.py").read_text() == "layer"
    assert (path.parent / "LoggingLayer/python/client.py").read_text() == "client"
    assert not (path.parent / "CommonLayer").exists()
    assert (built / "CommonLayer").exists()
