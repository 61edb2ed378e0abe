package dev.graft.peft.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Sha256;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StoreTest {
    private static final LoraConfig SMALL =
            LoraConfig.DEFAULT.withR(2).withAlpha(4).withTargets(TargetModules.names("q_proj"));

    @TempDir
    private Path folder;

    private Path adapter(int seed) {
        Path path = folder.resolve("adapter-" + seed);
        if (!Files.exists(path)) {
            Adapter.create(Bases.load(Bases.LLAMA), new Lora(SMALL), seed).save(path);
        }
        return path;
    }

    private Store store() {
        return Store.create(folder.resolve("store"), null);
    }

    private StoredVersion add(Store store, String name, int seed) {
        return store.add(name, adapter(seed), Map.of("accuracy", 0.5), true).version();
    }

    private static double first(Adapter adapter) {
        return Tensors.floats(adapter.value("model.layers.0.self_attn.q_proj.lora_A.weight"))[0];
    }

    @Test
    void versionsTagsAndAliasesNameWhatWasAdded() {
        Store store = store();
        StoredVersion one = add(store, "sql", 1);
        StoredVersion two = add(store, "sql", 2);
        store.tag("sql@1", "stable");
        store.alias("prod", "sql@stable");

        assertThat(one.title()).isEqualTo("sql@1");
        assertThat(two.number()).isEqualTo(2);
        assertThat(store.resolve("sql")).isEqualTo(two);
        assertThat(store.resolve("sql@1")).isEqualTo(one);
        assertThat(store.resolve("prod")).isEqualTo(one);
        assertThat(store.names()).containsExactly("prod", "sql");
        assertThat(one.metrics()).containsEntry("accuracy", 0.5);
        assertThat(one.method()).isEqualTo("LORA");
        assertThat(one.baseFingerprint()).isEqualTo(Bases.load(Bases.LLAMA).fingerprint());
        assertThat(first(store.load(Bases.load(Bases.LLAMA), "prod")))
                .isEqualTo(first(Adapter.load(Bases.load(Bases.LLAMA), adapter(1))));
        assertThat(Store.open(folder.resolve("store"), null).resolve("prod")).isEqualTo(one);
    }

    @Test
    void aCanaryTakesAShareUntilItIsRolledBack() {
        Store store = store();
        StoredVersion one = add(store, "sql", 1);
        add(store, "sql", 2);
        store.alias("prod", "sql@1", new Canary("sql@2", 0.25));

        Canary canary = Objects.requireNonNull(store.canary("prod"));
        assertThat(canary).isEqualTo(new Canary("sql@2", 0.25));
        assertThat(store.canary("sql")).isNull();
        assertThat(store.canary("prod@1")).isNull();
        assertThat(store.resolve("prod")).isEqualTo(one);
        assertThatThrownBy(() -> store.alias("prod", "sql@1", new Canary("sql@1", 0.5)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("the same version");
        assertThatThrownBy(() -> store.alias("prod", "sql@1", new Canary("sql@9", 0.5)))
                .isInstanceOf(UnknownAdapterException.class);
        assertThat(store.canary("prod")).as("what was refused changes nothing").isEqualTo(canary);

        store.serve("sql@1");
        assertThatThrownBy(() -> store.remove("sql@2")).hasMessageContaining("the alias prod stands for");
        add(store, "other", 1);
        store.alias("next", "sql", new Canary("other", 0.5));
        for (String adapter : List.of("sql", "other")) {
            assertThatThrownBy(() -> store.remove(adapter))
                    .isInstanceOf(InputException.class)
                    .hasMessageStartingWith(adapter + " is what the alias ")
                    .hasMessageEndingWith(" stands for; change that first");
        }
        store.remove("next");
        store.remove("other");
        assertThatThrownBy(() -> store.resolve("other")).isInstanceOf(UnknownAdapterException.class);
        store.add("sql", adapter(3), Map.of(), true);
        store.gc(1);
        assertThat(store.resolve("sql@2").number())
                .as("what an alias needs isn't dropped")
                .isEqualTo(2);

        assertThat(store.rollback("prod", null)).isEqualTo(one);
        assertThat(store.canary("prod")).isNull();
        assertThatThrownBy(() -> store.rollback("prod", null)).hasMessageContaining("is an alias of sql@1");
    }

    @Test
    void aKeyStaysWithItsVersionAndSharesOnlyGrow() {
        Canary tenth = new Canary("sql@2", 0.1);
        Canary half = new Canary("sql@2", 0.5);
        List<String> keys = IntStream.range(0, 4000).mapToObj(i -> "user" + i).toList();
        List<String> first =
                keys.stream().filter(key -> tenth.accepts("prod", key)).toList();

        assertThat(first.size()).isBetween(320, 480);
        assertThat(keys.stream().filter(key -> half.accepts("prod", key)))
                .containsAll(first)
                .hasSizeBetween(1850, 2150);
        assertThat(keys.stream().filter(key -> tenth.accepts("other", key)).toList())
                .as("another alias tries others")
                .isNotEqualTo(first);
        for (double share : new double[] {0, 1, -1, Double.NaN}) {
            assertThatThrownBy(() -> new Canary("sql@2", share)).isInstanceOf(InputException.class);
        }
    }

    @Test
    void theSameFilesAreStoredOnceAndAddedOnce() throws IOException {
        Store store = store();
        add(store, "a", 1);
        add(store, "b", 1);
        assertThat(add(store, "a", 1).number()).isEqualTo(1);
        try (Stream<Path> objects = Files.list(folder.resolve("store/objects"))) {
            assertThat(objects).hasSize(1);
        }
        add(store, "a", 2);
        assertThat(add(store, "a", 1).number())
                .as("an older one again is a new version")
                .isEqualTo(3);
    }

    @Test
    void rollingBackServesWhatWasServedBefore() {
        Store store = store();
        add(store, "sql", 1);
        add(store, "sql", 2);
        store.add("sql", adapter(3), Map.of(), false);

        assertThat(store.resolve("sql").number()).as("version 3 isn't served").isEqualTo(2);
        assertThat(store.rollback("sql", null).number()).isEqualTo(1);
        assertThatThrownBy(() -> store.rollback("sql", null))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("before version 1");
        assertThat(store.rollback("sql", 3).number()).isEqualTo(3);
        assertThat(store.rollback("sql", null).number()).isEqualTo(1);
    }

    @Test
    void anotherBaseIsRefused() {
        Store store = store();
        add(store, "sql", 1);
        assertThatThrownBy(() -> store.load(Bases.load(Bases.TIED), "sql"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("sql@1 was trained on another base");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../x",
                "/etc",
                "a%2f..",
                "..\\x",
                "a\0b",
                "",
                ".",
                "..",
                "-x",
                ".hidden",
                "a/b",
                "\u202Eabc",
                "a b",
                "ab\u200B"
            })
    void namesNeverBecomePaths(String name) throws IOException {
        Store store = store();
        add(store, "sql", 1);
        assertThatThrownBy(() -> store.add(name, adapter(1), Map.of(), true)).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> store.resolve(name)).isInstanceOf(UnknownAdapterException.class);
        assertThatThrownBy(() -> store.remove(name)).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> store.alias(name, "sql")).isInstanceOf(InputException.class);
        try (Stream<Path> names = Files.list(folder.resolve("store/names"))) {
            assertThat(names).hasSize(1);
        }
    }

    @Test
    void namesThatDifferInCaseAreTwo() {
        Store store = store();
        add(store, "Sql", 1);
        assertThatThrownBy(() -> store.resolve("sql")).isInstanceOf(UnknownAdapterException.class);
        add(store, "sql", 2);
        assertThat(store.resolve("Sql").id()).isNotEqualTo(store.resolve("sql").id());
        assertThatThrownBy(() -> store.tag("sql", "7")).hasMessageContaining("take a word");
        assertThatThrownBy(() -> store.resolve("sql@2")).hasMessageContaining("no version 2");
        assertThatThrownBy(() -> store.resolve("sql@beta")).hasMessageContaining("no tag beta");
        assertThatThrownBy(() -> store.resolve("x".repeat(10_000))).isInstanceOf(UnknownAdapterException.class);
    }

    @Test
    void aChangedFileIsFoundAndNeverSigned() throws IOException {
        Store store = store();
        StoredVersion version = add(store, "sql", 1);
        SigningKey.Pair keys = SigningKey.newPair();
        Files.writeString(folder.resolve("key"), keys.privateKey());
        Files.writeString(folder.resolve("key.pub"), keys.publicKey());
        Files.writeString(folder.resolve("other.pub"), SigningKey.newPair().publicKey());
        var open = SigningKey.readPublic(folder.resolve("key.pub"));

        assertThat(store.verify(null)).isEmpty();
        assertThat(store.verify(open))
                .hasSize(1)
                .first()
                .satisfies(f -> assertThat(f.problem()).contains("not signed"));
        store.sign("sql", SigningKey.readPrivate(folder.resolve("key")));
        assertThat(store.verify(open)).isEmpty();
        assertThat(store.verify(SigningKey.readPublic(folder.resolve("other.pub"))))
                .hasSize(1);
        store.requireSigned(store.resolve("sql"), open);

        Path file = store.folder(version).resolve("adapter_model.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 1] ^= 1;
        Files.write(file, bytes);
        assertThat(store.verify(null))
                .hasSize(1)
                .first()
                .satisfies(f -> assertThat(f.problem()).contains("adapter_model.safetensors was changed"));
        assertThatThrownBy(() -> store.requireSigned(store.resolve("sql"), open))
                .hasMessageContaining("was changed");
        assertThatThrownBy(() -> store.sign("sql", SigningKey.readPrivate(folder.resolve("key"))))
                .hasMessageContaining("isn't signed");
        add(store, "again", 1);
        assertThat(store.verify(null)).as("adding the same files repairs them").isEmpty();
        assertThatThrownBy(() -> SigningKey.readPrivate(folder.resolve("key.pub")))
                .isInstanceOf(InputException.class);
    }

    @Test
    void aNameWhoseFileIsDamagedLeavesTheOthersAsTheyAre() throws IOException {
        Store store = store();
        StoredVersion sql = add(store, "sql", 1);
        add(store, "chat", 2);
        store.alias("prod", "sql", null);
        Path damaged = folder.resolve("store/names").resolve(Sha256.of("chat") + ".json");
        String whole = Files.readString(damaged);
        Files.writeString(damaged, whole.substring(0, whole.length() / 2));

        assertThat(store.names()).containsExactly("prod", "sql");
        assertThat(store.entries()).extracting(StoreEntry::name).containsExactly("prod", "sql");
        assertThat(store.resolve("prod")).isEqualTo(sql);
        assertThat(store.damagedNames()).singleElement().asString().contains(damaged.toString());
        assertThat(store.verify(null)).singleElement().satisfies(problem -> {
            assertThat(problem.version()).isNull();
            assertThat(problem.problem()).contains(damaged.toString());
        });
        assertThatThrownBy(() -> store.gc(null)).hasMessageContaining(damaged.toString());
        assertThatThrownBy(() -> store.resolve("chat")).hasMessageContaining(damaged.toString());

        Files.writeString(damaged, whole);
        assertThat(store.names()).containsExactly("chat", "prod", "sql");
        assertThat(store.damagedNames()).isEmpty();
    }

    @Test
    void aChangedManifestBreaksTheSignature() throws IOException {
        Store store = store();
        add(store, "sql", 1);
        SigningKey.Pair keys = SigningKey.newPair();
        Files.writeString(folder.resolve("key"), keys.privateKey());
        Files.writeString(folder.resolve("key.pub"), keys.publicKey());
        store.sign("sql", SigningKey.readPrivate(folder.resolve("key")));
        Path names = folder.resolve("store/names");
        try (Stream<Path> all = Files.list(names)) {
            Path record = all.findFirst().orElseThrow();
            Files.writeString(record, Files.readString(record).replace("0.5", "0.99"));
        }
        assertThat(store.verify(SigningKey.readPublic(folder.resolve("key.pub"))))
                .hasSize(1)
                .first()
                .satisfies(f -> assertThat(f.problem()).contains("the manifest was changed"));
    }

    @Test
    void garbageIsWhatNoVersionNeeds() throws IOException {
        Store store = store();
        for (int seed = 1; seed <= 4; seed++) {
            add(store, "sql", seed);
        }
        store.tag("sql@1", "first");
        Files.createDirectories(folder.resolve("store/objects/.left.tmp-1-1"));
        assertThat(store.gc(null)).isZero();
        assertThat(folder.resolve("store/objects/.left.tmp-1-1")).doesNotExist();
        assertThat(store.gc(1))
                .as("version 2 goes; 1 has a tag, 3 was served before 4")
                .isPositive();
        assertThatThrownBy(() -> store.resolve("sql@2")).isInstanceOf(UnknownAdapterException.class);
        assertThat(store.rollback("sql", null).number()).isEqualTo(3);
        assertThat(store.verify(null)).isEmpty();
        assertThatThrownBy(() -> store.remove("sql@3")).hasMessageContaining("is served");
        store.remove("sql");
        assertThat(store.names()).isEmpty();
        store.gc(null);
        try (Stream<Path> objects = Files.list(folder.resolve("store/objects"))) {
            assertThat(objects).isEmpty();
        }
    }

    @Test
    void aVersionThatCantBeTaggedOrToldIsNotAdded() {
        Store store = store();
        add(store, "sql", 1);
        for (String tag : List.of("3", "a/b", "")) {
            assertThatThrownBy(() -> store.add("sql", adapter(2), Map.of(), true, tag))
                    .isInstanceOf(InputException.class);
        }
        assertThatThrownBy(() -> store.add("sql", adapter(2), Map.of("accuracy", Double.NaN), true))
                .hasMessageContaining("accuracy is NaN");
        assertThat(store.resolve("sql").number()).isEqualTo(1);

        store.add("sql", adapter(2), Map.of(), false, "candidate");
        assertThat(store.resolve("sql@candidate").number()).isEqualTo(2);
        assertThat(store.resolve("sql").number()).isEqualTo(1);
    }

    @Test
    void theNumberOfARemovedVersionIsNotGivenAgain() {
        Store store = store();
        add(store, "sql", 1);
        store.add("sql", adapter(2), Map.of(), false);
        store.remove("sql@2");
        store.add("sql", adapter(3), Map.of(), false);
        assertThatThrownBy(() -> store.resolve("sql@2")).isInstanceOf(UnknownAdapterException.class);
        assertThat(store.resolve("sql@3").number()).isEqualTo(3);
    }

    @Test
    void anAliasHasNoVersionToServeOrTag() {
        Store store = store();
        add(store, "sql", 1);
        add(store, "sql", 2);
        store.alias("prod", "sql@1");
        assertThatThrownBy(() -> store.serve("prod")).hasMessageContaining("prod is an alias");
        assertThatThrownBy(() -> store.tag("prod", "old")).hasMessageContaining("name sql@1");
        assertThat(store.resolve("sql").number()).isEqualTo(2);
    }

    @Test
    void anEncryptedStoreMayBeMoved() throws IOException {
        Path key = folder.resolve("key");
        Files.writeString(key, FileEncryption.newKey());
        add(Store.create(folder.resolve("sealed"), FileEncryption.read(key)), "sql", 1);
        Path moved = Files.move(folder.resolve("sealed"), folder.resolve("moved"));

        Path spelt = moved.resolve("..").resolve("moved");
        assertThat(first(Store.open(spelt, FileEncryption.read(key)).load(Bases.load(Bases.LLAMA), "sql")))
                .isEqualTo(first(Adapter.load(Bases.load(Bases.LLAMA), adapter(1))));
    }

    @Test
    void anEncryptedStoreHoldsNothingPlain() throws IOException {
        Path key = folder.resolve("key");
        Files.writeString(key, FileEncryption.newKey());
        Path other = folder.resolve("other");
        Files.writeString(other, FileEncryption.newKey());
        Path root = folder.resolve("sealed");
        Store store = Store.create(root, FileEncryption.read(key));
        StoredVersion version = add(store, "sql", 1);

        for (Path file : files(root)) {
            String text = new String(Files.readAllBytes(file), java.nio.charset.StandardCharsets.ISO_8859_1);
            assertThat(text).doesNotContain("lora_A").doesNotContain("peft_type");
        }
        assertThat(first(store.load(Bases.load(Bases.LLAMA), "sql")))
                .isEqualTo(first(Adapter.load(Bases.load(Bases.LLAMA), adapter(1))));
        store.copy("sql", folder.resolve("copy"));
        assertThat(folder.resolve("copy/adapter_model.safetensors"))
                .hasSameBinaryContentAs(adapter(1).resolve("adapter_model.safetensors"));
        assertThatThrownBy(() -> store.folder(version)).hasMessageContaining("encrypted");
        Store locked = Store.open(root, null);
        assertThat(locked.names()).containsExactly("sql");
        assertThat(locked.verify(null)).isEmpty();
        assertThatThrownBy(() -> locked.load(Bases.load(Bases.LLAMA), "sql")).hasMessageContaining("give its key");
        assertThatThrownBy(() -> locked.add("b", adapter(2), Map.of(), true)).hasMessageContaining("give its key");
        assertThatThrownBy(() -> Store.open(root, FileEncryption.read(other)))
                .hasMessageContaining("the key is another one");
        assertThatThrownBy(() -> FileEncryption.read(adapter(1).resolve("adapter_config.json")))
                .hasMessageContaining("is no key");
        store();
        assertThatThrownBy(() -> Store.open(folder.resolve("store"), FileEncryption.read(key)))
                .hasMessageContaining("not encrypted");
    }

    private static List<Path> files(Path root) throws IOException {
        try (Stream<Path> all = Files.walk(root)) {
            return all.filter(Files::isRegularFile).toList();
        }
    }

    private Path zip(Map<String, Path> entries) throws IOException {
        Path file = folder.resolve("adapter-" + System.nanoTime() + ".zip");
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(file))) {
            for (Map.Entry<String, Path> entry : entries.entrySet()) {
                out.putNextEntry(new ZipEntry(entry.getKey()));
                Files.copy(entry.getValue(), out);
            }
        }
        return file;
    }

    @Test
    void archivesAreReadByPlainNamesOnly() throws IOException {
        Store store = store();
        Path config = adapter(1).resolve("adapter_config.json");
        Path tensors = adapter(1).resolve("adapter_model.safetensors");
        Path record = adapter(1).resolve("graft.json");
        Store.Added added = store.add(
                "zipped",
                zip(Map.of(
                        "sql/adapter_config.json", config,
                        "sql/adapter_model.safetensors", tensors,
                        "sql/graft.json", record,
                        "sql/training_args.bin", config)),
                Map.of(),
                true);
        assertThat(added.leftOut()).containsExactly("training_args.bin");
        assertThat(added.version().id()).isEqualTo(add(store, "folder", 1).id());
        for (String name :
                new String[] {"../evil.json", "/evil.json", "a/b/evil.json", "..\\evil.json", "a/../evil.json"}) {
            Path bad = zip(Map.of("adapter_config.json", config, "adapter_model.safetensors", tensors, name, config));
            assertThatThrownBy(() -> store.add("bad", bad, Map.of(), true))
                    .as(name)
                    .isInstanceOf(InputException.class);
        }
        Path two = zip(Map.of("a/adapter_config.json", config, "b/adapter_model.safetensors", tensors));
        assertThatThrownBy(() -> store.add("bad", two, Map.of(), true)).hasMessageContaining("more than one folder");
        Path cut = folder.resolve("cut.zip");
        Files.write(cut, java.util.Arrays.copyOf(Files.readAllBytes(two), 300));
        assertThatThrownBy(() -> store.add("bad", cut, Map.of(), true)).hasMessageContaining("no whole zip archive");
        assertThat(store.names()).containsExactly("folder", "zipped");
        assertThat(folder.resolve("evil.json")).doesNotExist();
    }

    @Test
    void whatIsNoAdapterIsRefused() throws IOException {
        Store store = store();
        Path pickle = folder.resolve("pickle");
        Files.createDirectories(pickle);
        Files.writeString(pickle.resolve("adapter_config.json"), "{}");
        Files.writeString(pickle.resolve("adapter_model.bin"), "x");
        assertThatThrownBy(() -> store.add("a", pickle, Map.of(), true))
                .hasMessageContaining("pickle files are never read");
        Files.writeString(pickle.resolve("adapter_model.safetensors"), "x");
        assertThatThrownBy(() -> store.add("a", pickle, Map.of(), true)).isInstanceOf(InputException.class);
        Path mixture = dev.graft.peft.Bases.FIXTURES.resolve("composition/llama-gqa/xlora/saved");
        assertThatThrownBy(() -> store.add("a", mixture, Map.of(), true))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("adapters in folders of its own, such as \"0\"");
        assertThatThrownBy(() -> store.add("a", folder.resolve("none"), Map.of(), true))
                .hasMessageContaining("no such adapter");
        assertThat(store.names()).isEmpty();
        assertThatThrownBy(() -> Store.open(folder, null)).hasMessageContaining("no store");
        assertThatThrownBy(() -> Store.create(pickle, null)).hasMessageContaining("holds other files");
    }
}
