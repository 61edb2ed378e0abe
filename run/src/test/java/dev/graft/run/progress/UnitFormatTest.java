package dev.graft.run.progress;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class UnitFormatTest {

    @ParameterizedTest
    @CsvSource({
        "0,0 B",
        "1023,1023 B",
        "1024,1.0 KiB",
        "1536,1.5 KiB",
        "1048575,1.0 MiB",
        "1610612736,1.5 GiB",
        "9223372036854775807,8.0 EiB"
    })
    void bytes(long bytes, String text) {
        assertThat(UnitFormat.bytes(bytes)).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource({
        "0,0.00s",
        "350,0.35s",
        "9994,9.99s",
        "9995,10s",
        "59499,59s",
        "59500,1m00s",
        "185000,3m05s",
        "3599999,1h00m",
        "7440000,2h04m",
        "97200000,1d03h"
    })
    void durations(long millis, String text) {
        assertThat(UnitFormat.duration(Duration.ofMillis(millis))).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource({
        "0,0",
        "7.25,7.3",
        "12,12",
        "628.4,628",
        "9994,9994",
        "9995,10.0k",
        "12345,12.3k",
        "1081344,1.08M",
        "3e9,3.00B"
    })
    void counts(double count, String text) {
        assertThat(UnitFormat.count(count)).isEqualTo(text);
    }
}
