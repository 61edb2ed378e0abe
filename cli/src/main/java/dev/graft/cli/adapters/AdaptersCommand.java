package dev.graft.cli.adapters;

import dev.graft.cli.model.JsonOption;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.peft.store.FileEncryption;
import dev.graft.peft.store.SigningKey;
import dev.graft.peft.store.Store;
import dev.graft.peft.store.StoreProblem;
import dev.graft.peft.store.StoredVersion;
import dev.graft.run.model.AdapterHeader;
import dev.graft.run.progress.UnitFormat;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PublicKey;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "adapters",
        description = "Keep versions of many adapters in one folder: add, list, tag, roll back, sign, verify.",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND",
        footer = {
            "",
            "A version is asked for as NAME (what is served), NAME@3 or NAME@TAG. What is added is served at once,"
                    + " unless",
            "--no-serve is given; `rollback` serves what was served before.",
            "",
            "Examples:",
            "  graft adapters add sql runs/sql/adapter --metric accuracy=0.91",
            "  graft adapters list",
            "  graft adapters tag sql@2 stable",
            "  graft adapters rollback sql",
            "  graft adapters key release && graft adapters sign sql --key release && graft adapters verify --key"
                    + " release.pub"
        })
public final class AdaptersCommand implements Runnable {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "which of list, add, serve, rollback, tag, alias, …?");
    }

    private PrintWriter out() {
        return spec.commandLine().getOut();
    }

    @Command(
            description = "List adapters with their versions, what is served and what it reached.",
            mixinStandardHelpOptions = true)
    void list(@Mixin StoreOptions options, @Mixin JsonOption json) {
        Store store = options.open();
        StoreList list = new StoreList(store.entries());
        out().print(json.json() ? list.json() + "\n" : list.table());
        store.damagedNames().forEach(damage -> spec.commandLine().getErr().println("warning: left out, " + damage));
    }

    @Command(
            description = "Add an adapter, a folder or a zip of one, as the next version of a name.",
            mixinStandardHelpOptions = true,
            footer = {
                "",
                "A store is made where none is; with --encryption-key it is an encrypted one.",
                "",
                "Example:",
                "  graft adapters add sql runs/sql/adapter --metric accuracy=0.91 --tag candidate --no-serve"
            })
    void add(
            @Mixin StoreOptions options,
            @Parameters(paramLabel = "NAME", description = "Letters, digits, dots, dashes and underscores.")
                    String name,
            @Parameters(paramLabel = "ADAPTER", description = "A folder, a zip archive of one, or hf:OWNER/NAME.")
                    String adapter,
            @Option(names = "--metric", paramLabel = "NAME=VALUE", description = "Score that it reached.") @Nullable
                    Map<String, Double> metrics,
            @Option(names = "--tag", paramLabel = "TAG", description = "A tag for the version.") @Nullable String tag,
            @Option(names = "--no-serve", description = "Leave what the name means as it is.") boolean noServe) {
        Path source =
                Files.isRegularFile(Path.of(adapter)) ? Path.of(adapter) : AdapterHeader.folder(adapter, new Hub());
        Store store = options.create();
        Store.Added added = store.add(name, source, metrics == null ? Map.of() : metrics, !noServe, tag);
        if (!added.leftOut().isEmpty()) {
            spec.commandLine()
                    .getErr()
                    .println("left out, as no part of an adapter: " + String.join(", ", added.leftOut()));
        }
        StoredVersion served = noServe ? null : store.resolve(name);
        out().printf(
                        "%s: %s, %s, SHA-256 %s…%s%n",
                        added.version().title(),
                        added.version().method(),
                        UnitFormat.bytes(added.version().bytes()),
                        added.version().id().substring(0, 12),
                        served == null ? ", not served" : ", served");
    }

    @Command(description = "Serve a version from now on.", mixinStandardHelpOptions = true)
    void serve(
            @Mixin StoreOptions options,
            @Parameters(paramLabel = "NAME@VERSION", description = "A version or a tag.") String version) {
        out().println(options.open().serve(version).title() + " is served");
    }

    @Command(
            description = "Serve what was served before, or the version given; an alias loses its canary.",
            mixinStandardHelpOptions = true)
    void rollback(
            @Mixin StoreOptions options,
            @Parameters(paramLabel = "NAME", description = "An adapter or alias.") String name,
            @Option(names = "--to", paramLabel = "N", description = "The number of a version.") @Nullable Integer to) {
        out().println(options.open().rollback(name, to).title() + " is served");
    }

    @Command(
            description = "Give a version a tag, which moves if another version has it.",
            mixinStandardHelpOptions = true)
    void tag(
            @Mixin StoreOptions options,
            @Parameters(paramLabel = "NAME@VERSION", description = "A version; a name means what is served.")
                    String version,
            @Parameters(paramLabel = "TAG", description = "A word.") String tag) {
        options.open().tag(version, tag);
    }

    @Command(
            description = "Make a name stand for an adapter, or for a version or tag of it.",
            mixinStandardHelpOptions = true,
            footer = {
                "",
                "With a canary a share of the requests for the name gets another version; `rollback NAME` takes it"
                        + " back.",
                "",
                "Example:",
                "  graft adapters alias prod sql@1 --canary sql@2 --share 0.1"
            })
    void alias(
            @Mixin StoreOptions options,
            @Parameters(paramLabel = "NAME", description = "The new name.") String name,
            @Parameters(paramLabel = "NAME[@VERSION]", description = "Version that the alias stands for.")
                    String target,
            @ArgGroup(exclusive = false) @Nullable CanaryOptions canary) {
        options.open().alias(name, target, canary == null ? null : canary.canary());
    }

    @Command(
            description = "Remove a version, or with a name alone an adapter or an alias; `gc` frees the space.",
            mixinStandardHelpOptions = true)
    void remove(
            @Mixin StoreOptions options,
            @Parameters(paramLabel = "NAME[@VERSION]", description = "Adapter or version to remove.")
                    String reference) {
        options.open().remove(reference);
    }

    @Command(description = "Remove files that no version needs.", mixinStandardHelpOptions = true)
    void gc(
            @Mixin StoreOptions options,
            @Option(
                            names = "--keep",
                            paramLabel = "N",
                            description = {
                                "Remove versions too: all but the N newest of each adapter, those with a tag, the one"
                                        + " that is",
                                "served and the one before it."
                            })
                    @Nullable
                    Integer keep) {
        out().println(UnitFormat.bytes(options.open().gc(keep)) + " freed");
    }

    @Command(
            description = "Read all files again and compare them with their manifests.",
            mixinStandardHelpOptions = true,
            exitCodeListHeading = "%nExit codes:%n",
            exitCodeList = {"0:all is well", "1:something is wrong"})
    int verify(
            @Mixin StoreOptions options,
            @Option(
                            names = "--key",
                            paramLabel = "FILE",
                            description = "Every version must be signed by this public key.")
                    @Nullable
                    Path key) {
        PublicKey open = key == null ? null : SigningKey.readPublic(key);
        Store store = options.open();
        List<StoreProblem> findings = store.verify(open);
        for (StoreProblem problem : findings) {
            StoredVersion version = problem.version();
            out().println((version == null ? "" : version.title() + ": ") + problem.problem());
        }
        long wrong =
                findings.stream().filter(problem -> problem.version() != null).count();
        long count = store.entries().stream()
                .mapToLong(entry -> entry.versions().size())
                .sum();
        out().println(count - wrong + " of " + count + " versions are whole"
                + (open == null ? "" : " and signed by " + key));
        return findings.isEmpty() ? 0 : 1;
    }

    @Command(description = "Sign a version's manifest with an Ed25519 key.", mixinStandardHelpOptions = true)
    void sign(
            @Mixin StoreOptions options,
            @Parameters(paramLabel = "NAME[@VERSION]", description = "A version; a name means what is served.")
                    String version,
            @Option(names = "--key", required = true, paramLabel = "FILE", description = "The private key, in PEM.")
                    Path key) {
        out().println(options.open().sign(version, SigningKey.readPrivate(key)).title() + " is signed");
    }

    @Command(
            description = "Make a key: a pair for signing, FILE and FILE.pub, or one for encryption.",
            mixinStandardHelpOptions = true)
    void key(
            @Parameters(paramLabel = "FILE", description = "The file to write; only you may read it.") Path file,
            @Option(names = "--encryption", description = "A key for an encrypted store (AES-256).")
                    boolean encryption) {
        Path open = file.resolveSibling(file.getFileName() + ".pub");
        if (Files.exists(file) || !encryption && Files.exists(open)) {
            throw new InputException(file + " is there already; a key is never replaced");
        }
        if (encryption) {
            OwnerOnlyFile.write(file, FileEncryption.newKey());
            return;
        }
        SigningKey.Pair pair = SigningKey.newPair();
        OwnerOnlyFile.write(file, pair.privateKey());
        AtomicWrite.text(open, pair.publicKey());
    }

    @Command(description = "Copy a version's files, decrypted, to a folder.", mixinStandardHelpOptions = true)
    void copy(
            @Mixin StoreOptions options,
            @Parameters(paramLabel = "NAME[@VERSION]", description = "A version; a name means what is served.")
                    String version,
            @Option(
                            names = {"-o", "--out"},
                            required = true,
                            paramLabel = "DIR",
                            description = "A folder that isn't there.")
                    Path folder) {
        if (Files.exists(folder)) {
            throw new InputException("--out " + folder + " is there already; name another folder");
        }
        options.open().copy(version, folder);
    }
}
