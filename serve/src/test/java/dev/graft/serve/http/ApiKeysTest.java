package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ApiKeysTest {
    private static final String HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    @TempDir
    Path folder;

    private ApiKeys read(String text) throws IOException {
        return ApiKeys.read(Files.writeString(folder.resolve("keys.txt"), text));
    }

    @Test
    void aKeyIsFoundByItsHash() throws IOException {
        ApiKeys keys = read("# people\n\nalice infer " + HASH + "\nbob admin " + HASH.replace('9', '8') + " 60\n");

        ApiKeys.Key alice = Objects.requireNonNull(keys.find("test"));
        assertThat(alice.name()).isEqualTo("alice");
        assertThat(alice.right()).isEqualTo(ApiKeys.Right.INFER);
        assertThat(keys.find("Test")).isNull();
        assertThat(keys.find(HASH)).isNull();
    }

    @Test
    void aNewKeyWorksAndItsFileDoesNotTellIt() throws IOException {
        Path file = folder.resolve("new.txt");
        String key = ApiKeys.add(file, "alice", ApiKeys.Right.ADMIN);
        ApiKeys.add(file, "bob", ApiKeys.Right.INFER);

        assertThat(Files.readString(file)).doesNotContain(key);
        assertThat(Objects.requireNonNull(ApiKeys.read(file).find(key)).right()).isEqualTo(ApiKeys.Right.ADMIN);
        assertThatThrownBy(() -> ApiKeys.add(file, "alice", ApiKeys.Right.INFER))
                .hasMessageContaining("already");
        assertThatThrownBy(() -> ApiKeys.add(file, "a b", ApiKeys.Right.INFER)).hasMessageContaining("letters");
    }

    @ParameterizedTest
    @CsvSource({
        "'', 0 keys",
        "'alice infer', 'line 1 has 2 words'",
        "'alice root " + HASH + "', 'the right is root'",
        "'alice infer abc', '64 hexadecimal'",
        "'alice infer " + HASH + " fast', 'the rate is fast'",
        "'alice infer " + HASH + " 0', 'the rate is 0'"
    })
    void whatIsNoKeyIsRefused(String text, String message) {
        assertThatThrownBy(() -> read(text)).isInstanceOf(InputException.class).hasMessageContaining(message);
    }

    @Test
    void aRateLetsThroughSoManyAMinute() {
        RateLimiter rateLimiter = new RateLimiter(2);
        long now = System.nanoTime();

        assertThat(rateLimiter.acquire(now)).isZero();
        assertThat(rateLimiter.acquire(now)).isZero();
        assertThat(rateLimiter.acquire(now)).isBetween(29L, 30L);
        assertThat(rateLimiter.acquire(now + 31_000_000_000L)).isZero();
        assertThat(rateLimiter.acquire(now + 31_000_000_000L)).isPositive();
        assertThat(new RateLimiter(0).acquire(now)).isZero();
    }
}
