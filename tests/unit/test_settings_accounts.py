"""What the block of an account may say."""

import pytest

from bot.settings import ConfigError, read_config
from tests.unit.test_settings_balancers import ALB, CONFIG, FIXED, PAIR


@pytest.mark.parametrize(
    ("account", "code", "key"),
    [
        ("role: foo", "bad_arn", "role"),
        ("role: 'arn:aws:iam::123456789012:user/x'", "bad_arn", "role"),
        ("region: 'eu west 1'", "bad_name", "region"),
        ("timeout: 10h", "out_of_range", "timeout"),
        ("role: 'arn:aws:iam::123456789012:role/team/sluice', timeout: 60s", "", ""),
    ],
)
def test_what_could_never_be_called_is_told_at_its_key(account, code, key):
    text = CONFIG.format(lanes=FIXED, traffic=f"{ALB}, {PAIR}")
    text = text.replace("{kind: aws}", f"{{kind: aws, {account}}}")
    if not code:
        assert read_config(text, "sluice.yaml").accounts["aws"].timeout == 60
        return
    with pytest.raises(ConfigError) as wrong:
        read_config(text, "sluice.yaml")

    assert [(one.code, one.key) for one in wrong.value.errors] == [(code, key)]
