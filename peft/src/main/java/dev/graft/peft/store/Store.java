package dev.graft.peft.store;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.TrainedOn;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SortedMap;
import java.util.function.BiFunction;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Many adapters in one folder, by name and version.
 *
 * <pre>{@code
 * Store store = Store.create(Path.of("adapters"), null);
 * store.add("sql", Path.of("runs/sql/adapter"), Map.of("accuracy", 0.91), true);
 * Adapter adapter = store.load(base, "sql");          // or "sql@3", "sql@stable"
 * store.rollback("sql", null);
 * }</pre>
 *
 * <p>{@code objects/<SHA-256>} holds an adapter's files, never changed once they are there; {@code names/<SHA-256 of a name>.json} says what
 * the name means. Files come first and the name last, each whole or not at all, so that a process killed at any point leaves a store that
 * reads as before or as after. Several processes may use one store: changes wait for a lock.
 */
public final class Store {
    private static final String STORE = "store.json";
    private static final String FORMAT = "graft-adapters";
    private static final byte[] SAMPLE = FORMAT.getBytes(StandardCharsets.UTF_8);

    private final Path root;
    private final NameFolder names;
    private final ObjectFolder objects;

    private Store(Path root, @Nullable Seal seal) {
        this.root = root;
        this.names = new NameFolder(root);
        Path file = root.resolve(STORE);
        if (!Files.isRegularFile(file)) {
            throw new InputException(root + ": is no store of adapters; `graft adapters add` makes one");
        }
        Fields fields = Fields.read(file);
        if (!fields.string("format").equals(FORMAT) || fields.integer("version") != 1) {
            throw new FormatException(file, "is of another format than " + FORMAT + " 1; use the Graft that wrote it");
        }
        String check = fields.stringOrNull("key_check");
        if (seal != null && check == null) {
            throw new InputException(root + ": the store is not encrypted; leave the key away, or make another store");
        }
        this.objects = new ObjectFolder(root, check != null, seal);
        if (seal != null && check != null) {
            seal.open(Base64.getDecoder().decode(check), FORMAT, STORE);
        }
    }

    /**
     * Opens a store.
     *
     * @param seal the key of an encrypted one; without it such a store can be listed but not loaded from
     * @throws InputException if there is none, or the key is another one
     */
    public static Store open(Path root, @Nullable Seal seal) {
        return new Store(root, seal);
    }

    /** Opens a store, or makes one, which is encrypted if there is a key. */
    public static Store create(Path root, @Nullable Seal seal) {
        Path file = root.resolve(STORE);
        if (!Files.exists(file)) {
            if (holdsSomething(root)) {
                throw new InputException(root + ": holds other files; name an empty folder or a store of adapters");
            }
            ObjectNode json =
                    JsonNodeFactory.instance.objectNode().put("format", FORMAT).put("version", 1);
            if (seal != null) {
                byte[] check = seal.close(SAMPLE, FORMAT, STORE);
                json.put("key_check", Base64.getEncoder().encodeToString(check));
            }
            AtomicWrite.text(file, Json.pretty(json) + "\n");
        }
        return new Store(root, seal);
    }

    private static boolean holdsSomething(Path folder) {
        return Files.exists(folder)
                && !ObjectFolder.list(
                                folder, path -> !path.getFileName().toString().startsWith("."))
                        .isEmpty();
    }

    /** The names of the adapters that are served and of the aliases, in alphabetical order, without those of {@link #damagedNames}. */
    public List<String> names() {
        return names.read().records().stream()
                .filter(record -> record.target() != null || record.current() != null)
                .map(NameRecord::name)
                .sorted()
                .toList();
    }

    /**
     * What one name means.
     *
     * @param served the version that is served, or null
     * @param target what an alias stands for, or null
     * @param canary what a share of an alias's requests gets, or null
     */
    public record Entry(
            String name,
            @Nullable String target,
            @Nullable Canary canary,
            @Nullable StoredVersion served,
            Map<String, Integer> tags,
            List<StoredVersion> versions) {}

    /** What is wrong with the files of names that can't be read, each with its file. The other names mean what they did; {@link #gc} waits until they are mended. */
    public List<String> damagedNames() {
        return names.read().damaged().stream()
                .map(damage -> String.valueOf(damage.getMessage()))
                .toList();
    }

    /** Everything in the store, by name, but for {@link #damagedNames}. */
    public List<Entry> entries() {
        return names.read().records().stream()
                .sorted(Comparator.comparing(NameRecord::name))
                .map(record -> new Entry(
                        record.name(),
                        record.target(),
                        record.canary(),
                        record.current() == null ? null : record.version(record.current()),
                        record.tags(),
                        record.versions()))
                .toList();
    }

    /**
     * The version that a reference such as {@code sql}, {@code sql@3} or {@code sql@stable} means; aliases are followed.
     *
     * @throws UnknownAdapterException if there is none
     */
    public StoredVersion resolve(String reference) {
        Reference asked = Reference.parse(reference);
        NameRecord record = names.require(asked.name());
        if (record.target() != null) {
            if (asked.number() != null || asked.tag() != null) {
                throw new UnknownAdapterException(
                        asked.name() + " is an alias of " + record.target() + " and has no versions");
            }
            asked = Reference.parse(record.target());
            record = names.require(asked.name());
        }
        Integer number = asked.number() != null
                ? asked.number()
                : asked.tag() != null ? record.tags().get(asked.tag()) : record.current();
        StoredVersion version = number == null ? null : record.version(number);
        if (version == null) {
            throw new UnknownAdapterException("the adapter " + asked.name() + " has no "
                    + (asked.number() != null
                            ? "version " + asked.number()
                            : asked.tag() != null ? "tag " + asked.tag() : "version that is served"));
        }
        return version;
    }

    /** Whether its files can be read with a key alone. */
    public boolean isEncrypted() {
        return objects.sealed();
    }

    /**
     * The folder of a version's files.
     *
     * @throws InputException if the store is encrypted
     */
    public Path folder(StoredVersion version) {
        if (objects.sealed()) {
            throw new InputException(
                    root + ": the store is encrypted, so " + version.title() + " is in no folder; load it");
        }
        return objects.folder(version.id());
    }

    /**
     * Loads a version.
     *
     * @throws UnknownAdapterException if there is none
     * @throws InputException if it was trained on another base, or its files are damaged
     */
    public Adapter load(Base base, String reference) {
        return load(base, resolve(reference));
    }

    /** Loads a version. */
    public Adapter load(Base base, StoredVersion version) {
        return load(base, version, Adapter::load);
    }

    /** Loads a version as {@link Adapter#loadServed} does. */
    public Adapter loadServed(Base base, StoredVersion version) {
        return load(base, version, Adapter::loadServed);
    }

    private Adapter load(Base base, StoredVersion version, BiFunction<Base, Path, Adapter> load) {
        String wanted = version.baseFingerprint();
        if (wanted != null) {
            new TrainedOn(Objects.requireNonNullElse(version.base(), "unknown"), wanted).require(base, version.title());
        }
        return objects.sealed()
                ? Memory.use(objects.plain(version), folder -> load.apply(base, folder))
                : load.apply(base, objects.folder(version.id()));
    }

    /**
     * Refuses a version that nobody vouches for.
     *
     * @throws InputException if it isn't signed by this key, or its files aren't those that were signed
     */
    public void requireSigned(StoredVersion version, PublicKey key) {
        String signature = version.signature();
        if (signature == null) {
            throw new InputException(version.title() + " is not signed");
        }
        if (!SigningKey.verifies(version.statement(), signature, key)) {
            throw new InputException(
                    version.title() + ": the signature is not of this key, or the manifest was changed");
        }
        String damage = objects.damage(version);
        if (damage != null) {
            throw new InputException(version.title() + ": " + damage);
        }
    }

    /** What {@link #add} did: the new version, and files of the source that aren't an adapter's. */
    public record Added(StoredVersion version, List<String> leftOut) {}

    /**
     * Adds an adapter as the next version of a name. What is the newest version already isn't added again.
     *
     * @param source a folder, or a zip archive of one
     * @param serves whether it is what the name means from now on
     * @throws InputException if it is no adapter that Graft reads
     */
    public Added add(String name, Path source, Map<String, Double> metrics, boolean serves) {
        return add(name, source, metrics, serves, null);
    }

    /** The same, and gives the version a tag, which it takes from the version that had it. */
    public Added add(String name, Path source, Map<String, Double> metrics, boolean serves, @Nullable String tag) {
        Reference.requireName(name);
        if (tag != null) {
            Reference.requireTag(tag);
        }
        metrics.forEach((metric, value) -> {
            if (!Double.isFinite(value)) {
                throw new InputException("the metric " + metric + " is " + value + ", expected a finite number");
            }
        });
        Content content = Content.read(source);
        String id = content.id();
        return names.locked(() -> {
            NameRecord found = names.find(name);
            if (found != null && found.target() != null) {
                throw new InputException(name + " is an alias of " + found.target() + "; remove it first");
            }
            NameRecord record = found == null ? NameRecord.of(name) : found;
            StoredVersion newest = record.newest();
            boolean isKnown = newest != null && newest.id().equals(id) && objects.damage(newest) == null;
            StoredVersion version = newest != null && isKnown
                    ? newest
                    : StoredVersion.of(name, record.next(), id, content, metrics, objects.put(id, content));
            NameRecord with = isKnown ? record : record.with(version);
            if (serves && !Integer.valueOf(version.number()).equals(with.current())) {
                with = with.serving(version.number());
            }
            if (tag != null) {
                with = with.tagged(tag, version.number());
            }
            if (!with.equals(found)) {
                names.write(with);
            }
            return new Added(version, content.leftOut());
        });
    }

    /** Signs a version's manifest. */
    public StoredVersion sign(String reference, PrivateKey key) {
        return names.locked(() -> {
            StoredVersion version = resolve(reference);
            String damage = objects.damage(version);
            if (damage != null) {
                throw new InputException(version.title() + ": " + damage + "; it isn't signed");
            }
            StoredVersion signed = version.signed(SigningKey.sign(version.statement(), key));
            names.write(names.require(version.name()).with(signed));
            return signed;
        });
    }

    /** Gives a version a tag, which it takes from the version that had it. */
    public void tag(String reference, String tag) {
        Reference.requireTag(tag);
        changed(reference, (record, version) -> record.tagged(tag, version.number()));
    }

    /** Makes a name stand for a reference to an adapter, for all requests. */
    public void alias(String name, String target) {
        alias(name, target, null);
    }

    /**
     * Makes a name stand for a reference to an adapter, and for a share of its requests for another one.
     *
     * @throws InputException if both are the same version
     */
    public void alias(String name, String target, @Nullable Canary canary) {
        Reference.requireName(name);
        names.locked(() -> {
            NameRecord known = names.find(name);
            if (known != null && known.target() == null) {
                throw new InputException(name + " is an adapter with versions; an alias needs another name");
            }
            StoredVersion usual = requireVersion(name, target);
            if (canary != null && requireVersion(name, canary.target()).equals(usual)) {
                throw new InputException(
                        target + " and the canary " + canary.target() + " are the same version, " + usual.title());
            }
            names.write(NameRecord.alias(name, target, canary));
            return name;
        });
    }

    private StoredVersion requireVersion(String alias, String target) {
        NameRecord other = names.require(Reference.parse(target).name());
        if (other.target() != null) {
            throw new InputException(target + " is an alias itself; make " + alias + " one of " + other.target());
        }
        return resolve(target);
    }

    /** What a share of a name's requests gets; null where all get what it stands for. */
    public @Nullable Canary canary(String reference) {
        Reference asked = Reference.parse(reference);
        NameRecord record = names.find(asked.name());
        return record == null || asked.number() != null || asked.tag() != null ? null : record.canary();
    }

    /** Serves another version of an adapter from now on. */
    public StoredVersion serve(String reference) {
        return changed(reference, (record, version) -> record.serving(version.number()));
    }

    /** Changes the record of the version that a reference means while nobody else changes any. */
    private StoredVersion changed(String reference, BiFunction<NameRecord, StoredVersion, NameRecord> change) {
        return names.locked(() -> {
            StoredVersion version = resolve(reference);
            if (!version.name().equals(Reference.parse(reference).name())) {
                throw new InputException(reference + " is an alias and has no versions of its own; name "
                        + version.title() + ", or make the alias stand for another version");
            }
            names.write(change.apply(names.require(version.name()), version));
            return version;
        });
    }

    /**
     * Serves what was served before, or a given version. An alias loses its canary.
     *
     * @return the version that is served now
     * @throws InputException if nothing was served before
     */
    public StoredVersion rollback(String name, @Nullable Integer to) {
        if (to != null) {
            return serve(name + "@" + to);
        }
        if (withoutCanary(name)) {
            return resolve(name);
        }
        names.change(name, record -> {
            List<Integer> served = new ArrayList<>(record.served());
            Integer current = record.current();
            served.removeIf(number -> number.equals(current));
            if (served.isEmpty()) {
                throw new InputException("nothing was served as " + name + " before "
                        + (current == null ? "" : "version " + current) + "; name the version by --to");
            }
            return record.withServed(served);
        });
        return resolve(name);
    }

    private boolean withoutCanary(String name) {
        return names.locked(() -> {
            NameRecord record = names.require(Reference.requireName(name));
            if (record.target() == null || record.canary() == null) {
                return false;
            }
            names.write(NameRecord.alias(name, record.target(), null));
            return true;
        });
    }

    /**
     * Removes a version, or with its name alone an adapter or an alias. Its files go with {@link #gc}.
     *
     * @throws InputException if an alias stands for it, or the version is served
     */
    public void remove(String reference) {
        Reference asked = Reference.parse(reference);
        if (asked.number() == null && asked.tag() == null) {
            names.locked(() -> {
                names.require(asked.name());
                requireNoAlias(asked.name(), target -> (target + "@").startsWith(asked.name() + "@"));
                names.delete(asked.name());
                return asked;
            });
            return;
        }
        StoredVersion version = resolve(reference);
        names.change(version.name(), record -> {
            if (Integer.valueOf(version.number()).equals(record.current())) {
                throw new InputException(version.title() + " is served; roll back first, or remove the whole adapter");
            }
            requireNoAlias(version.title(), target -> found(target).anyMatch(version::equals));
            return record.without(List.of(version.number()));
        });
    }

    private void requireNoAlias(String what, Predicate<String> means) {
        for (NameRecord other : names.all()) {
            if (other.targets().stream().anyMatch(means)) {
                throw new InputException(
                        what + " is what the alias " + other.name() + " stands for; change that first");
            }
        }
    }

    private Stream<StoredVersion> found(String reference) {
        try {
            return Stream.of(resolve(reference));
        } catch (UnknownAdapterException gone) {
            return Stream.of();
        }
    }

    /**
     * Removes files that no version needs.
     *
     * @param keep how many of the newest versions of each adapter are kept beside those that are served, were served before that, have a
     *     tag or an alias; null for all
     * @return how many bytes became free
     */
    public long gc(@Nullable Integer keep) {
        if (keep != null && keep < 1) {
            throw new InputException("--keep is " + keep + ", expected at least 1");
        }
        return names.locked(() -> {
            Set<String> needed = new HashSet<>();
            List<NameRecord> records = names.all();
            Set<StoredVersion> named = records.stream()
                    .flatMap(record -> record.targets().stream())
                    .flatMap(this::found)
                    .collect(Collectors.toSet());
            for (NameRecord record : records) {
                NameRecord left = keep == null ? record : record.without(record.old(keep, named));
                if (left != record && !left.equals(record)) {
                    names.write(left);
                }
                left.versions().forEach(version -> needed.add(version.id()));
            }
            names.sweep();
            return objects.retain(needed);
        });
    }

    /**
     * Something that is wrong.
     *
     * @param version with what; null for what can't be read of a name
     */
    public record Finding(@Nullable StoredVersion version, String problem) {}

    /**
     * Reads every file again.
     *
     * @param key the key that versions must be signed by, or null where signatures aren't looked at
     * @return what is wrong; nothing if all is well
     */
    public List<Finding> verify(@Nullable PublicKey key) {
        NameFolder.Contents contents = names.read();
        List<Finding> findings = new ArrayList<>();
        for (InputException damage : contents.damaged()) {
            findings.add(new Finding(null, String.valueOf(damage.getMessage())));
        }
        for (NameRecord record : contents.records()) {
            for (StoredVersion version : record.versions()) {
                try {
                    String damage = objects.damage(version);
                    if (damage != null) {
                        findings.add(new Finding(version, damage));
                    } else if (key != null) {
                        requireSigned(version, key);
                    }
                } catch (InputException wrong) {
                    findings.add(new Finding(version, String.valueOf(wrong.getMessage())));
                }
            }
        }
        return findings;
    }

    /** Copies a version's files, decrypted, to a folder. */
    public void copy(String reference, Path folder) {
        StoredVersion version = resolve(reference);
        SortedMap<String, byte[]> files = objects.plain(version);
        AtomicWrite.folder(folder, made -> {
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                Files.write(made.resolve(file.getKey()), file.getValue());
            }
        });
    }
}
