package dev.graft.peft.store;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.BaseIdentity;
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
 * Stores many adapters in one folder, by name and version.
 *
 * <pre>{@code
 * Store store = Store.create(Path.of("adapters"), null);
 * store.add("sql", Path.of("runs/sql/adapter"), Map.of("accuracy", 0.91), true);
 * Adapter adapter = store.load(base, "sql");          // or "sql@3", "sql@stable"
 * store.rollback("sql", null);
 * }</pre>
 *
 * <p>{@code objects/<SHA-256>} contains an adapter's files, which never change; {@code names/<SHA-256 of a name>.json} is the record of the name.
 * Files are written first and the name last, each atomically. So after a crash the store is in the state before or after the change. Several
 * processes may use one store: changes wait for a lock.
 */
public final class Store {
    private static final String STORE = "store.json";
    private static final String FORMAT = "graft-adapters";
    private static final byte[] SAMPLE = FORMAT.getBytes(StandardCharsets.UTF_8);

    private final Path root;
    private final NameFolder names;
    private final ObjectFolder objects;

    private Store(Path root, @Nullable FileEncryption encryption) {
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
        if (encryption != null && check == null) {
            throw new InputException(root + ": the store is not encrypted; leave the key away, or make another store");
        }
        this.objects = new ObjectFolder(root, check != null, encryption);
        if (encryption != null && check != null) {
            encryption.decrypt(Base64.getDecoder().decode(check), FORMAT, STORE);
        }
    }

    /**
     * Opens a store.
     *
     * @param encryption the key of an encrypted store; without it the store can be listed but not loaded from
     * @throws InputException if there is no store, or it has another key
     */
    public static Store open(Path root, @Nullable FileEncryption encryption) {
        return new Store(root, encryption);
    }

    /** Opens a store or creates one, which is encrypted if there is a key. */
    public static Store create(Path root, @Nullable FileEncryption encryption) {
        Path file = root.resolve(STORE);
        if (!Files.exists(file)) {
            if (holdsSomething(root)) {
                throw new InputException(root + ": holds other files; name an empty folder or a store of adapters");
            }
            ObjectNode json =
                    JsonNodeFactory.instance.objectNode().put("format", FORMAT).put("version", 1);
            if (encryption != null) {
                byte[] check = encryption.encrypt(SAMPLE, FORMAT, STORE);
                json.put("key_check", Base64.getEncoder().encodeToString(check));
            }
            AtomicWrite.text(file, Json.pretty(json) + "\n");
        }
        return new Store(root, encryption);
    }

    private static boolean holdsSomething(Path folder) {
        return Files.exists(folder)
                && !ObjectFolder.list(
                                folder, path -> !path.getFileName().toString().startsWith("."))
                        .isEmpty();
    }

    /** The names of served adapters and of aliases, in alphabetical order, without those of {@link #damagedNames}. */
    public List<String> names() {
        return names.read().records().stream()
                .filter(record -> record.target() != null || record.current() != null)
                .map(NameRecord::name)
                .sorted()
                .toList();
    }

    /**
     * Returns the errors of unreadable name records, each with its file. Other names stay usable; {@link #gc} is refused until the files are
     * repaired.
     */
    public List<String> damagedNames() {
        return names.read().damaged().stream()
                .map(damage -> String.valueOf(damage.getMessage()))
                .toList();
    }

    /** All entries, by name, without those of {@link #damagedNames}. */
    public List<StoreEntry> entries() {
        return names.read().records().stream()
                .sorted(Comparator.comparing(NameRecord::name))
                .map(StoreEntry::of)
                .toList();
    }

    /**
     * Returns the version of a reference such as {@code sql}, {@code sql@3} or {@code sql@stable}; aliases are followed.
     *
     * @throws UnknownAdapterException if there is none
     */
    public StoredVersion resolve(String reference) {
        VersionReference parsed = VersionReference.parse(reference);
        NameRecord record = names.require(parsed.name());
        if (record.target() != null) {
            if (parsed.number() != null || parsed.tag() != null) {
                throw new UnknownAdapterException(
                        parsed.name() + " is an alias of " + record.target() + " and has no versions");
            }
            parsed = VersionReference.parse(record.target());
            record = names.require(parsed.name());
        }
        Integer number = parsed.number() != null
                ? parsed.number()
                : parsed.tag() != null ? record.tags().get(parsed.tag()) : record.current();
        StoredVersion version = number == null ? null : record.version(number);
        if (version == null) {
            throw new UnknownAdapterException("the adapter " + parsed.name() + " has no "
                    + (parsed.number() != null
                            ? "version " + parsed.number()
                            : parsed.tag() != null ? "tag " + parsed.tag() : "version that is served"));
        }
        return version;
    }

    /** Returns whether its files can only be read with a key. */
    public boolean isEncrypted() {
        return objects.encrypted();
    }

    /**
     * Returns the folder of a version's files.
     *
     * @throws InputException if the store is encrypted
     */
    public Path folder(StoredVersion version) {
        if (objects.encrypted()) {
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
            new BaseIdentity(Objects.requireNonNullElse(version.base(), "unknown"), wanted)
                    .requireSame(base, version.title());
        }
        return objects.encrypted()
                ? DecryptedFiles.use(objects.plain(version), folder -> load.apply(base, folder))
                : load.apply(base, objects.folder(version.id()));
    }

    /**
     * Refuses a version without a valid signature.
     *
     * @throws InputException if it isn't signed by this key, or its files differ from the signed ones
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

    /** The result of {@link #add}: the new version, and the source's files that don't belong to an adapter. */
    public record Added(StoredVersion version, List<String> leftOut) {}

    /**
     * Adds an adapter as the next version of a name, unless the newest version is equal.
     *
     * @param source a folder, or a zip archive of one
     * @param serves whether the name refers to this version from now on
     * @throws InputException if Graft can't read the adapter
     */
    public Added add(String name, Path source, Map<String, Double> metrics, boolean serves) {
        return add(name, source, metrics, serves, null);
    }

    /** Adds an adapter as the next version of a name and moves a tag to that version. */
    public Added add(String name, Path source, Map<String, Double> metrics, boolean serves, @Nullable String tag) {
        VersionReference.requireName(name);
        if (tag != null) {
            VersionReference.requireTag(tag);
        }
        StoredVersion.requireFinite(metrics);
        StoredContent content = StoredContent.read(source);
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
            NameRecord with = isKnown ? record : record.withVersion(version);
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

    /** Signs a version's manifest and returns the signed version. */
    public StoredVersion sign(String reference, PrivateKey key) {
        return names.locked(() -> {
            StoredVersion version = resolve(reference);
            String damage = objects.damage(version);
            if (damage != null) {
                throw new InputException(version.title() + ": " + damage + "; it isn't signed");
            }
            StoredVersion signed = version.signed(SigningKey.sign(version.statement(), key));
            names.write(names.require(version.name()).withVersion(signed));
            return signed;
        });
    }

    /** Moves a tag to a version, away from the version that had it. */
    public void tag(String reference, String tag) {
        VersionReference.requireTag(tag);
        changed(reference, (record, version) -> record.tagged(tag, version.number()));
    }

    /** Defines a name as an alias of a reference to an adapter, for all requests. */
    public void alias(String name, String target) {
        alias(name, target, null);
    }

    /**
     * Defines a name as an alias of a reference to an adapter, and of another one for a share of its requests.
     *
     * @throws InputException if both are the same version
     */
    public void alias(String name, String target, @Nullable Canary canary) {
        VersionReference.requireName(name);
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
        NameRecord other = names.require(VersionReference.parse(target).name());
        if (other.target() != null) {
            throw new InputException(target + " is an alias itself; make " + alias + " one of " + other.target());
        }
        return resolve(target);
    }

    /**
     * Returns the canary of a name: the reference for a share of its requests. Null where all requests use the name's
     * own.
     */
    public @Nullable Canary canary(String reference) {
        VersionReference parsed = VersionReference.parse(reference);
        NameRecord record = names.find(parsed.name());
        return record == null || parsed.number() != null || parsed.tag() != null ? null : record.canary();
    }

    /** Serves another version of an adapter from now on and returns it. */
    public StoredVersion serve(String reference) {
        return changed(reference, (record, version) -> record.serving(version.number()));
    }

    /** Changes the record of the version that a reference means while nobody else changes any. */
    private StoredVersion changed(String reference, BiFunction<NameRecord, StoredVersion, NameRecord> change) {
        return names.locked(() -> {
            StoredVersion version = resolve(reference);
            if (!version.name().equals(VersionReference.parse(reference).name())) {
                throw new InputException(reference + " is an alias and has no versions of its own; name "
                        + version.title() + ", or make the alias stand for another version");
            }
            names.write(change.apply(names.require(version.name()), version));
            return version;
        });
    }

    /**
     * Serves the previously served version, or the version {@code to}. An alias loses its canary.
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
            NameRecord record = names.require(VersionReference.requireName(name));
            if (record.target() == null || record.canary() == null) {
                return false;
            }
            names.write(NameRecord.alias(name, record.target(), null));
            return true;
        });
    }

    /**
     * Removes a version, or by its name alone an adapter or an alias. {@link #gc} removes its files.
     *
     * @throws InputException if an alias refers to it, or the version is served
     */
    public void remove(String reference) {
        VersionReference parsed = VersionReference.parse(reference);
        if (parsed.number() == null && parsed.tag() == null) {
            names.locked(() -> {
                names.require(parsed.name());
                requireNoAlias(parsed.name(), target -> (target + "@").startsWith(parsed.name() + "@"));
                names.delete(parsed.name());
                return parsed;
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
     * @param keep the number of newest versions of each adapter to keep, beside those that are served, were served before, have a tag or an
     *     alias; null for all
     * @return the number of freed bytes
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
     * Checks every file.
     *
     * @param key the key that versions must be signed by, or null to ignore signatures
     * @return the problems; empty if there are none
     */
    public List<StoreProblem> verify(@Nullable PublicKey key) {
        return new StoreCheck(names, objects, this::requireSigned).run(key);
    }

    /** Copies a version's decrypted files to a folder. */
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
