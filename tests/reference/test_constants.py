from lsm_reference import constants
from lsm_verify import quantities


def test_oracle_and_product_agree_on_constants_they_do_not_share():
    assert constants.STEFAN_BOLTZMANN == quantities.STEFAN_BOLTZMANN == 5.67e-8
