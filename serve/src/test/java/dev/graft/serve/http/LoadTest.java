package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.store.Store;
import dev.graft.serve.adapters.VersionedStore;
import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.LongSummaryStatistics;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.management.JMException;
import javax.management.ObjectName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Many clients, adapters that change their versions, hang-ups and bad requests, over HTTP. Each answer must be what the model says when it is
 * asked alone; memory stays what it is. {@code -Dgraft.load.clients=64 -Dgraft.load.seconds=600} is the long form.
 */
@Tag("slow")
class LoadTest {
    private static final int CLIENTS = Integer.getInteger("graft.load.clients", 24);
    private static final int ADAPTERS = Integer.getInteger("graft.load.adapters", 32);
    private static final int SECONDS = Integer.getInteger("graft.load.seconds", 90);

    /** So many adapters change between two versions; the others have one. */
    private static final int CHANGING = ADAPTERS / 2;

    /** Too little for all adapters, but enough for those in use: they have to come and go. */
    private static final long BUDGET = 24_000L * Math.min(ADAPTERS, 26);

    /** So little that it is full before memory is looked at. */
    private static final long PROMPTS = 256 << 10;

    /** Of the heap's parts, as the JVM says them. */
    private static final Pattern ADDRESS = Pattern.compile("0x([0-9a-f]+)");

    /** The first line of a mapping in smaps. */
    private static final Pattern MAPPING = Pattern.compile("^([0-9a-f]+)-[0-9a-f]+ ");

    @Test
    void answersAreRightUnderLoadAndMemoryIsFlat(@TempDir Path folder) throws Exception {
        Store store = Store.create(folder.resolve("store"), null);
        TinyChat tiny = new TinyChat(
                folder,
                new Engine.Options(16, Math.max(8, CLIENTS / 2), 16, PROMPTS),
                TinyChat.options().withConnections(4 * CLIENTS + 16),
                root -> new VersionedStore(store),
                BUDGET);
        AtomicBoolean closing = new AtomicBoolean();
        AtomicBoolean over = new AtomicBoolean();
        ExecutorService callers = Executors.newCachedThreadPool();
        List<Long> memory = new ArrayList<>();
        RandomClient.Work work;
        try (tiny) {
            List<String> models = fill(tiny, store);
            work = new RandomClient.Work(
                    models,
                    alone(new Client(tiny.server.address()), models),
                    ConcurrentHashMap.newKeySet(),
                    RandomClient.counts(),
                    () -> !over.get(),
                    closing::get);
            for (int i = 0; i < CLIENTS; i++) {
                callers.execute(new RandomClient(tiny.server.address(), i, work));
            }
            callers.execute(() -> reload(store, tiny, work));
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
            while (System.nanoTime() < end && work.wrong().isEmpty()) {
                Thread.sleep(1000);
                memory.add(memory());
            }
            closing.set(true);
        }
        over.set(true);
        callers.shutdown();

        assertThat(callers.awaitTermination(60, TimeUnit.SECONDS)).isTrue();
        System.out.println(work.counts() + ", memory in MiB " + memory);
        assertThat(work.wrong()).isEmpty();
        assertThat(work.counts()).containsKeys("answers", "streams", "hang-ups", "bad requests", "reloads");
        int quarter = memory.size() / 4;
        assertThat(median(memory.subList(3 * quarter, memory.size())))
                .as("MiB in the last quarter, of those in the third, %s", memory)
                .isLessThanOrEqualTo((long) (1.05 * median(memory.subList(2 * quarter, 3 * quarter))));
    }

    /** Adds the adapters to the store; returns their names and the base's. */
    private static List<String> fill(TinyChat tiny, Store store) {
        List<String> models = new ArrayList<>(List.of("tiny"));
        for (int i = 0; i < ADAPTERS; i++) {
            int rank = 2 << i % 4;
            for (int version = 1; version <= (i < CHANGING ? 2 : 1); version++) {
                String saved = "a" + i + "-" + version;
                tiny.lora(saved, LoraConfig.DEFAULT.withR(rank).withAlpha(2 * rank), 100 * i + version);
                store.add("a" + i, tiny.adapterFolder.resolve(saved), Map.of(), true);
            }
            models.add("a" + i);
        }
        return models;
    }

    /** What each model answers when nobody else asks. */
    private static Map<RandomClient.ModelQuestion, Set<RandomClient.Answer>> alone(Client client, List<String> models) {
        Map<RandomClient.ModelQuestion, Set<RandomClient.Answer>> answers = new HashMap<>();
        for (String model : models) {
            boolean changes = !model.equals("tiny") && Integer.parseInt(model.substring(1)) < CHANGING;
            for (Question question : Question.values()) {
                Set<RandomClient.Answer> may = new HashSet<>();
                for (String version : changes ? List.of(model + "@1", model + "@2") : List.of(model)) {
                    Client.Reply reply = client.post(question.path, question.body(version, false));
                    assertThat(reply.status()).as(reply.body()).isEqualTo(200);
                    may.add(new RandomClient.Answer(Question.whole(reply), Question.texts(reply)));
                }
                answers.put(new RandomClient.ModelQuestion(model, question), may);
            }
        }
        assertThat(new HashSet<>(answers.values())).hasSizeGreaterThan(answers.size() * 3 / 4);
        return answers;
    }

    /** Serves other versions, and loads and unloads an adapter under a name of its own. */
    private static void reload(Store store, TinyChat tiny, RandomClient.Work work) {
        Client client = new Client(tiny.server.address());
        Random random = new Random(1);
        while (work.goesOn().getAsBoolean() && !work.closing().getAsBoolean()) {
            store.serve("a" + random.nextInt(CHANGING) + "@" + (1 + random.nextInt(2)));
            work.count("reloads");
            String guest = "guest" + random.nextInt(3);
            String load = "{\"lora_name\": \"" + guest + "\", \"lora_path\": \"a" + random.nextInt(ADAPTERS) + "\"}";
            String unload = "{\"lora_name\": \"" + guest + "\"}";
            try {
                expect(work, client.post("/v1/load_lora_adapter", load), 200);
                expect(work, client.post("/v1/unload_lora_adapter", unload), 200);
                Thread.sleep(20);
            } catch (AssertionError | InterruptedException closed) {
                return;
            }
        }
    }

    private static void expect(RandomClient.Work work, Client.Reply reply, int status) {
        if (reply.status() != status && !work.closing().getAsBoolean()) {
            work.wrong().add(reply.status() + " for a reload: " + reply.body());
        }
    }

    /**
     * What lives on the heap and what is taken beside it, in MiB. What the process takes less what the heap has committed isn't that: pages of
     * the heap that nothing has touched yet aren't taken.
     */
    private static long memory() throws IOException, JMException {
        System.gc();
        String said = (String) ManagementFactory.getPlatformMBeanServer()
                .invoke(
                        new ObjectName("com.sun.management:type=DiagnosticCommand"),
                        "gcHeapInfo",
                        new Object[0],
                        new String[0]);
        LongSummaryStatistics heap = ADDRESS.matcher(said)
                .results()
                .mapToLong(address -> Long.parseLong(address.group(1), 16))
                .summaryStatistics();
        assertThat(heap.getCount()).as(said).isPositive();
        long kib = 0;
        boolean beside = true;
        for (String line : Files.readAllLines(Path.of("/proc/self/smaps"), StandardCharsets.ISO_8859_1)) {
            Matcher mapping = MAPPING.matcher(line);
            if (mapping.find()) {
                long at = Long.parseUnsignedLong(mapping.group(1), 16);
                beside = at < heap.getMin() || at >= heap.getMax();
            } else if (beside && line.startsWith("Rss:")) {
                kib += Long.parseLong(line.replaceAll("\\D", ""));
            }
        }
        return (kib >> 10)
                + (ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed() >> 20);
    }

    private static long median(List<Long> values) {
        return values.stream().sorted().toList().get(values.size() / 2);
    }
}
