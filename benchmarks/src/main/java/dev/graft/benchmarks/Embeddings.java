package dev.graft.benchmarks;

import dev.graft.langchain4j.GraftModels;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.serve.adapters.AdapterStore;
import dev.graft.serve.adapters.Adapters;
import dev.graft.tensor.BackgroundThread;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.embedding.onnx.allminilml6v2.AllMiniLmL6V2EmbeddingModel;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Compares the speed of all-MiniLM-L6-v2 embeddings by Graft and by ONNX Runtime in LangChain4j. Both run in this process with as many
 * threads as there are cores. They alternate, so that other load on the machine affects both.
 */
public final class Embeddings {
    private static final String[] WORDS =
            ("the a of and to in is it that with for from as on by sea ship night wind harbour captain letter morning"
                            + " river mountain village market bread stone winter summer garden window quiet heavy bright old young"
                            + " walked wrote carried remembered opened waited promised never always perhaps beneath throughout"
                            + " transformation photograph administrative constellation")
                    .split(" ");

    /**
     * The number of times that all texts are read, one after another, before the measurement. Java compiles in the
     * meantime.
     */
    private static final int WARMUP = 4;

    private Embeddings() {}

    /** Returns texts of varying length, most of them short, like queries and sentences. */
    static List<TextSegment> texts(int count) {
        Random random = new Random(11);
        return IntStream.range(0, count)
                .mapToObj(i -> IntStream.rangeClosed(0, 3 + (int) (-12 * Math.log(1 - random.nextDouble() * 0.99)))
                        .mapToObj(word -> WORDS[random.nextInt(WORDS.length)])
                        .collect(Collectors.joining(" ")))
                .map(TextSegment::from)
                .toList();
    }

    /** Returns the largest difference between two models' vectors of some texts. */
    static double difference(EmbeddingModel one, EmbeddingModel other, List<TextSegment> texts) {
        double largest = 0;
        var others = other.embedAll(texts).content();
        var vectors = one.embedAll(texts).content();
        for (int i = 0; i < vectors.size(); i++) {
            for (int j = 0; j < vectors.get(i).vector().length; j++) {
                largest = Math.max(
                        largest,
                        Math.abs(vectors.get(i).vector()[j] - others.get(i).vector()[j]));
            }
        }
        return largest;
    }

    /**
     * Texts that are asked for.
     *
     * @param each texts of a request
     * @param clients how many ask at once
     */
    private record Load(int each, int clients) {
        double textsPerSecond(EmbeddingModel model, List<TextSegment> texts) {
            AtomicInteger next = new AtomicInteger();
            long start = System.nanoTime();
            CompletableFuture<?>[] asking = IntStream.range(0, clients)
                    .mapToObj(client ->
                            CompletableFuture.runAsync(() -> ask(model, texts, next), task -> new Thread(task).start()))
                    .toArray(CompletableFuture[]::new);
            CompletableFuture.allOf(asking).join();
            return texts.size() * 1e9 / (System.nanoTime() - start);
        }

        private void ask(EmbeddingModel model, List<TextSegment> texts, AtomicInteger next) {
            for (int first = next.getAndAdd(each); first < texts.size(); first = next.getAndAdd(each)) {
                model.embedAll(texts.subList(first, Math.min(texts.size(), first + each)));
            }
        }
    }

    /**
     * Prints texts per second of each, for requests of one text by one client and by eight, and for requests of many texts.
     *
     * @param args the number of rounds; optional
     */
    public static void main(String[] args) {
        int rounds = args.length == 0 ? 7 : Integer.parseInt(args[0]);
        int threads = Runtime.getRuntime().availableProcessors();
        List<TextSegment> texts = texts(512);
        Base base = BackgroundThread.run(() -> {
            Base loaded = Base.load("minilm", Base.Options.of(Task.FEATURE_EXTRACTION));
            loaded.pack();
            return loaded;
        });
        ExecutorService workers = Executors.newFixedThreadPool(threads);
        try (GraftModels models = GraftModels.embeddings(new Adapters(base, "minilm", AdapterStore.NONE))) {
            EmbeddingModel graft = models.embedding("minilm");
            EmbeddingModel onnx = new AllMiniLmL6V2EmbeddingModel(workers);
            System.out.printf(
                    Locale.ROOT, "%d threads, largest difference %.1e%n", threads, difference(graft, onnx, texts));
            for (int round = 0; round < WARMUP; round++) {
                new Load(1, 1).textsPerSecond(graft, texts);
                new Load(1, 1).textsPerSecond(onnx, texts);
            }
            for (Load load : new Load[] {new Load(1, 1), new Load(1, 8), new Load(16, 1), new Load(512, 1)}) {
                List<TextSegment> some = texts.subList(0, Math.min(texts.size(), 64 * load.each * load.clients));
                List<Double> own = new ArrayList<>();
                List<Double> peers = new ArrayList<>();
                for (int round = 0; round < rounds; round++) {
                    own.add(load.textsPerSecond(graft, some));
                    peers.add(load.textsPerSecond(onnx, some));
                }
                System.out.printf(
                        Locale.ROOT,
                        "%3d texts a request, %d at once: Graft %.0f texts/s, ONNX Runtime %.0f, ratio %.2f%n",
                        load.each,
                        load.clients,
                        median(own),
                        median(peers),
                        median(own) / median(peers));
            }
        } finally {
            workers.shutdown();
        }
    }

    private static double median(List<Double> values) {
        List<Double> sorted = new ArrayList<>(values);
        Collections.sort(sorted);
        return sorted.get(sorted.size() / 2);
    }
}
