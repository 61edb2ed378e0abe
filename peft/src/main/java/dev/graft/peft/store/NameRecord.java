package dev.graft.peft.store;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The record of a name: the versions of an adapter, the served one, and its tags. It is a single file, so a change is atomic.
 *
 * @param target the reference of an alias, such as {@code sql@stable}; null for an adapter, which the other fields describe
 * @param canary the other version for a share of an alias's requests, or null
 * @param last the largest version number so far; numbers of removed versions aren't reused
 * @param served the numbers of served versions, the present one last; empty if none is
 * @param tags the numbers by tag
 * @param versions in the order of their numbers
 */
@RecordBuilder
record NameRecord(
        String name,
        @Nullable String target,
        @Nullable Canary canary,
        int last,
        List<Integer> served,
        Map<String, Integer> tags,
        List<StoredVersion> versions)
        implements NameRecordBuilder.With {
    NameRecord {
        served = List.copyOf(served);
        tags = Collections.unmodifiableMap(new TreeMap<>(tags));
        versions = List.copyOf(versions);
    }

    static NameRecord of(String name) {
        return new NameRecord(name, null, null, 0, List.of(), Map.of(), List.of());
    }

    static NameRecord alias(String name, String target, @Nullable Canary canary) {
        return new NameRecord(name, target, canary, 0, List.of(), Map.of(), List.of());
    }

    /** Returns the references of an alias, for all requests and for a share; empty for an adapter. */
    List<String> targets() {
        return Stream.of(target, canary == null ? null : canary.target())
                .flatMap(Stream::ofNullable)
                .toList();
    }

    @Nullable
    StoredVersion newest() {
        return versions.isEmpty() ? null : versions.get(versions.size() - 1);
    }

    int next() {
        return last + 1;
    }

    @Nullable
    Integer current() {
        return served.isEmpty() ? null : served.get(served.size() - 1);
    }

    @Nullable
    StoredVersion version(int number) {
        return versions.stream()
                .filter(version -> version.number() == number)
                .findFirst()
                .orElse(null);
    }

    NameRecord withVersion(StoredVersion version) {
        List<StoredVersion> all = new ArrayList<>(versions);
        all.removeIf(old -> old.number() == version.number());
        all.add(version);
        all.sort(Comparator.comparing(StoredVersion::number));
        return with().last(Math.max(last, version.number())).versions(all).build();
    }

    NameRecord serving(int number) {
        List<Integer> all = new ArrayList<>(served);
        all.add(number);
        return withServed(all);
    }

    NameRecord tagged(String tag, int number) {
        Map<String, Integer> all = new TreeMap<>(tags);
        all.put(tag, number);
        return withTags(all);
    }

    NameRecord without(List<Integer> numbers) {
        Map<String, Integer> left = new TreeMap<>(tags);
        left.values().removeAll(numbers);
        return with().served(served.stream()
                        .filter(number -> !numbers.contains(number))
                        .toList())
                .tags(left)
                .versions(versions.stream()
                        .filter(version -> !numbers.contains(version.number()))
                        .toList())
                .build();
    }

    /**
     * Returns the numbers of removable versions: those not among the newest, not served now or just before, without a tag and not named.
     *
     * @param keep the number of newest versions to keep
     * @param named the versions that aliases refer to
     */
    List<Integer> old(int keep, Set<StoredVersion> named) {
        List<Integer> last = served.subList(Math.max(0, served.size() - 2), served.size());
        return versions.stream()
                .limit(Math.max(0, versions.size() - keep))
                .filter(version -> !named.contains(version))
                .map(StoredVersion::number)
                .filter(number -> !last.contains(number) && !tags.containsValue(number))
                .toList();
    }

    String json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("name", name);
        if (target != null) {
            json.put("alias_of", target);
            if (canary != null) {
                json.putObject("canary").put("target", canary.target()).put("share", canary.share());
            }
            return Json.pretty(json) + "\n";
        }
        json.put("last", last);
        ArrayNode numbers = json.putArray("served");
        served.forEach(numbers::add);
        ObjectNode named = json.putObject("tags");
        tags.forEach(named::put);
        ArrayNode all = json.putArray("versions");
        versions.forEach(version -> all.add(version.json()));
        return Json.pretty(json) + "\n";
    }

    static NameRecord read(Path file) {
        Fields fields = Fields.read(file);
        String name = fields.string("name");
        if (fields.has("alias_of")) {
            Fields canary = fields.objectOrNull("canary");
            return alias(
                    name,
                    fields.string("alias_of"),
                    canary == null ? null : new Canary(canary.string("target"), canary.number("share")));
        }
        Map<String, Integer> tags = new TreeMap<>();
        Fields named = fields.object("tags");
        named.names().forEach(tag -> tags.put(tag, named.integer(tag)));
        List<StoredVersion> versions = new ArrayList<>();
        for (JsonNode version : fields.list("versions")) {
            versions.add(StoredVersion.read(Fields.of(file + ": versions[" + versions.size() + "]", version)));
        }
        List<Integer> served = fields.integersOrNull("served");
        int newest = versions.stream().mapToInt(StoredVersion::number).max().orElse(0);
        int last = fields.integer("last", newest, newest);
        NameRecord record = new NameRecord(name, null, null, last, served == null ? List.of() : served, tags, versions);
        for (Integer number : record.served) {
            if (record.version(number) == null) {
                throw new FormatException(file, "served has version " + number + ", which is not there");
            }
        }
        return record;
    }
}
