package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The expected numbers are those of {@code torch.Generator} in PyTorch 2.15. */
class TorchRngTest {
    private static String sha256(Tensor values) throws Exception {
        ByteBuffer bytes = Tensors.bytes(values);
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes.array()));
    }

    private static long[] numbers(String text) {
        return Stream.of(text.split(" ")).mapToLong(Long::parseLong).toArray();
    }

    @ParameterizedTest
    @CsvSource({
        "0, 4 1 7 5 3 9 0 8 6 2",
        "777, 11 7 3 8 0 2 9 6 4 10 5 1",
        "2147483653, 5 8 4 1 3 7 6 0 2",
    })
    void permutesFewAsTorchDoes(long seed, String expected) {
        long[] wanted = numbers(expected);

        assertThat(Tensors.longs(new TorchRng(seed).permutation(wanted.length))).isEqualTo(wanted);
    }

    @ParameterizedTest
    @CsvSource({
        "777, 20000, f7c9cf9b6e3b532c433b4743ba4343750a9242cfc5714b8aab71f51e7f373b56",
        "7, 589824, f6a0eb9c4bfbde5df09d9f56f3ba6965688bea55f2282ea8ff0e3bc520868f6e",
        "3, 2500000, d008ac94060681a05e9c2a1ec53bb6a3f7708d1030843eebb1898af6a39fa81b",
    })
    void permutesManyAsTorchDoes(long seed, long n, String hash) throws Exception {
        assertThat(sha256(new TorchRng(seed).permutation(n))).isEqualTo(hash);
    }

    @ParameterizedTest
    @CsvSource({
        "0, -1107107844 1033633050 -1092745648 -1093841696 -1098255588",
        "42, 1042650418 1044298009 -1101400596",
    })
    void isUniformWithTorchsBits(long seed, String expected) {
        long[] wanted = numbers(expected);
        float[] values = Tensors.floats(new TorchRng(seed).uniform(-0.5, 0.25, wanted.length));

        for (int i = 0; i < wanted.length; i++) {
            assertThat(Float.floatToRawIntBits(values[i])).isEqualTo((int) wanted[i]);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "5, af33577995d9ae23a3bed3a80bfb2c79db2803eb7e55c090eca9e39fafc79a60",
        "15, 8db9a5331024e1ef6641fb105e2cef40e44a0fc808368674795ee3b09096fe02",
    })
    void isNormalWithTorchsBitsBelowSixteenNumbers(long n, String hash) throws Exception {
        assertThat(sha256(new TorchRng(42).normal(0, 1, n))).isEqualTo(hash);
    }

    /** From sixteen numbers on torch's own last bit depends on the processor's vectors. */
    @Test
    void isNormalByTorchsOtherMethodFromSixteenNumbersOn() {
        float[] sixteen = Tensors.floats(new TorchRng(42).normal(0, 1, 16));
        float[] seventeen = Tensors.floats(new TorchRng(42).normal(0, 1, 17));

        assertThat(Arrays.copyOf(sixteen, 3))
                .containsExactly(
                        new float[] {1.9269152879714966f, 1.4872840642929077f, 0.9007171988487244f}, within(1e-6f));
        assertThat(Arrays.copyOf(seventeen, 3))
                .containsExactly(
                        new float[] {1.9269152879714966f, -0.1595974713563919f, -0.4973975419998169f}, within(1e-6f));
    }

    @Test
    void goesOnWhereItStopped() {
        TorchRng rng = new TorchRng(1);

        assertThat(Tensors.floats(rng.normal(0, 1, 3))[2]).isCloseTo(0.0617f, within(1e-4f));
        assertThat(Tensors.floats(rng.uniform(0, 1, 2))).containsExactly(new float[] {0.5695f, 0.4388f}, within(1e-4f));
        assertThat(Tensors.longs(rng.permutation(5))).containsExactly(3, 2, 0, 4, 1);
        assertThat(Tensors.item(rng.normal(0, 1, 18).sum())).isCloseTo(2.1727, within(1e-4));
    }
}
