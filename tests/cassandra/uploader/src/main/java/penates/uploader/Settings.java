package penates.uploader;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What the command line says: "--name value", each once, but for --data. */
record Settings(
        String command,
        List<Path> data,
        Path tree,
        boolean v2,
        String cluster,
        String token,
        String region,
        String rack,
        String base,
        String compress,
        int blockSize,
        String name,
        long instant,
        Path listing,
        boolean delete) {

    private static final Set<String> NAMES =
            Set.of("tree", "dialect", "cluster", "token", "region", "rack", "base", "compress",
                    "block-size", "name", "instant", "listing");
    private static final Set<String> DIALECTS = Set.of("v1", "v2");
    private static final Set<String> COMPRESS = Set.of("ALL", "IF_REQUIRED", "NONE");

    static Settings of(String[] args) {
        if (args.length == 0) {
            throw new IllegalArgumentException("no command: snapshot or incrementals");
        }
        List<Path> data = new ArrayList<>();
        Map<String, String> said = new HashMap<>();
        boolean delete = false;
        for (int i = 1; i < args.length; i++) {
            String name = args[i].startsWith("--") ? args[i].substring(2) : "";
            if (name.equals("delete")) {
                delete = true;
            } else if (i + 1 == args.length) {
                throw new IllegalArgumentException("no value: " + args[i]);
            } else if (name.equals("data")) {
                data.add(Path.of(args[++i]).toAbsolutePath());
            } else if (!NAMES.contains(name) || said.put(name, args[++i]) != null) {
                throw new IllegalArgumentException("unknown or twice: --" + name);
            }
        }
        return new Settings(
                oneOf(args[0], Set.of("snapshot", "incrementals")),
                data,
                Path.of(said.get("tree")),
                oneOf(said.get("dialect"), DIALECTS).equals("v2"),
                said.get("cluster"),
                said.get("token"),
                said.getOrDefault("region", "us-east-1"),
                said.getOrDefault("rack", "us-east-1a"),
                said.getOrDefault("base", "backup"),
                oneOf(said.getOrDefault("compress", "ALL"), COMPRESS),
                Integer.parseInt(said.getOrDefault("block-size", "32768")),
                said.get("name"),
                Long.parseLong(said.getOrDefault("instant", "0")),
                said.containsKey("listing") ? Path.of(said.get("listing")) : null,
                delete);
    }

    private static String oneOf(String value, Set<String> allowed) {
        if (value == null || !allowed.contains(value)) {
            throw new IllegalArgumentException(value + " is none of " + allowed);
        }
        return value;
    }
}
