import json
from pathlib import Path

from vitreous.cli.main import main


def test_says_what_was_proven_and_where(golden: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert main(["convert", str(golden / "google_vit_token.npz"), str(out), "--to", "timm"]) == 0
    text = capsys.readouterr().out
    assert "44 tensors come back bit-equal from the timm format" in text
    assert "largest difference of logits on 3 images: 0.0e+00" in text
    assert text.endswith(f"wrote {out}/model.safetensors\n")


def test_an_npz_is_googles_and_json_is_for_machines(golden: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out.npz"
    source = str(golden / "google_vit_token.npz")
    assert main(["convert", source, str(out), "--image_size", "48x32", "--json", "-"]) == 0
    proof = json.loads(capsys.readouterr().out)
    assert (proof["family"], proof["difference"], proof["file"]) == ("google", 0.0, str(out))
    assert out.is_file()


def test_mistakes_are_one_line(golden: Path, tmp_path: Path, capsys) -> None:
    source = str(golden / "timm_vit_registers_layerscale.safetensors")
    for arguments, complaint in (
        ([source, str(tmp_path / "x"), "--to", "google"], "cannot say registers 4"),
        ([source, str(tmp_path / "x"), "--to", "keras"], "unknown family 'keras'"),
        ([source, str(tmp_path / "x"), "--image_size", "big"], "--image_size is big"),
        ([str(tmp_path / "none"), str(tmp_path / "x")], "no such model"),
    ):
        assert main(["convert", *arguments]) == 2
        error = capsys.readouterr().err
        assert complaint in error
        assert error.splitlines()[-1].startswith("vitreous: ")
        assert all("assumed" in line for line in error.splitlines()[:-1])
        assert not (tmp_path / "x").exists()


def test_assumptions_are_shown_and_answered(golden: Path, tmp_path: Path, capsys, caplog) -> None:
    source = str(tmp_path / "x.safetensors")
    Path(source).write_bytes((golden / "timm_vit_token.safetensors").read_bytes())
    given = ["--to", "timm", "--heads", "4", "--activation", "gelu", "--normalisation", "imagenet"]
    assert main(["convert", source, str(tmp_path / "out"), *given, "--json", "-"]) == 0
    assumptions = json.loads(capsys.readouterr().out)["assumptions"]
    assert any("pooling token" in line for line in assumptions)
    assert any("imagenet" in line for line in assumptions)
    assert not any("activation" in line for line in assumptions)
    assert all(line in caplog.text for line in assumptions)
    assert main(["predict", source, str(golden), "--wrapper", "ema"]) == 2
    assert "wrapper='ema'" in capsys.readouterr().err
