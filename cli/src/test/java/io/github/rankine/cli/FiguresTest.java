package io.github.rankine.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class FiguresTest {
    @Test
    void countsHaveFourSignificantDigits() {
        assertThat(Figures.count(0)).isEqualTo("0");
        assertThat(Figures.count(999)).isEqualTo("999");
        assertThat(Figures.count(1000)).isEqualTo("1.000K");
        assertThat(Figures.count(18_874_368)).isEqualTo("18.87M");
        assertThat(Figures.count(999_949_999)).isEqualTo("999.9M");
        assertThat(Figures.count(999_999_999)).isEqualTo("1.000B");
        assertThat(Figures.count(175_202_537_472L)).isEqualTo("175.2B");
        assertThat(Figures.exact(18_874_368)).isEqualTo("18,874,368");
    }

    @Test
    void sizesAreBinary() {
        assertThat(Figures.bytes(1023)).isEqualTo("1023 bytes");
        assertThat(Figures.bytes(1024)).isEqualTo("1.000 KiB");
        assertThat(Figures.bytes((1L << 30) * 3 / 2)).isEqualTo("1.500 GiB");
        assertThat(Figures.bytes((1L << 30) - 1)).isEqualTo("1.000 GiB");
    }

    @Test
    void sharesMayBeSmallOrNothing() {
        assertThat(Figures.share(1, 2)).isEqualTo("50.00 %");
        assertThat(Figures.share(2, 2)).isEqualTo("100.0 %");
        assertThat(Figures.share(18_874_368, 175_202_537_472L)).isEqualTo("0.01077 %");
        assertThat(Figures.share(0, 7)).isEqualTo("0.000 %");
    }
}
