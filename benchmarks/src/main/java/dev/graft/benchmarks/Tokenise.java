package dev.graft.benchmarks;

import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** Measures the tokenisation of texts, one by one and in batches. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class Tokenise {
    static final String TEXT =
            "Graft trains a few parameters grafted onto a frozen pretrained transformer, and uses the result.";

    private static final List<String> TEXTS = Collections.nCopies(64, TEXT);

    /** The tokenizer of the fixtures. */
    @Param({"wordpiece", "splitbpe"})
    String kind = "wordpiece";

    private final Tokenizer wordPiece = Tokenizers.load(Fixtures.path("tokens/wordpiece"));
    private final Tokenizer bytePairs = Tokenizers.load(Fixtures.path("tokens/splitbpe"));

    private Tokenizer tokenizer() {
        return kind.equals("wordpiece") ? wordPiece : bytePairs;
    }

    @Benchmark
    public int one() {
        return tokenizer().encode(TEXT, EncodeOptions.DEFAULT).ids().length;
    }

    @Benchmark
    public int sixtyFour() {
        return tokenizer().encodeAll(TEXTS, EncodeOptions.DEFAULT).size();
    }
}
