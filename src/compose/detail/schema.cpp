// The table of all keys of the Compose specification.
#include "compose/detail/shape.h"
#include "compose/detail/short_forms.h"

namespace berth::compose {

namespace {

constexpr std::string_view kWindows = "it is for Windows containers";
constexpr std::string_view kSwarm = "it is for swarm services, which the engine does not have";
constexpr std::string_view kBuildKit = "it needs BuildKit, and the engine has Docker's classic builder";

constexpr Shape kText{.form = Form::text};
constexpr Shape kScalar{.form = Form::scalar};
constexpr Shape kSetting{.form = Form::setting};
constexpr Shape kBoolean{.form = Form::boolean};
constexpr Shape kInteger{.form = Form::integer};
constexpr Shape kNumber{.form = Form::number};
constexpr Shape kBytes{.form = Form::bytes};
constexpr Shape kDuration{.form = Form::duration};
constexpr Shape kPath{.form = Form::text, .expand = absolute_path};
constexpr Shape kTexts{.form = Form::list, .element = &kText};
constexpr Shape kScalars{.form = Form::list, .element = &kScalar};
constexpr Shape kTextOrTexts{.form = Form::list, .expand = one_as_list, .element = &kText};
constexpr Shape kPathOrPaths{.form = Form::list, .expand = one_as_list, .element = &kPath};
constexpr Shape kExposed{.form = Form::list, .expand = expose_list, .element = &kScalar};
constexpr Shape kPairs{.form = Form::map, .expand = pairs_as_map, .element = &kSetting};
constexpr Shape kOptions{.form = Form::map, .element = &kSetting};
constexpr Shape kHosts{.form = Form::list, .expand = host_entries, .element = &kText};
constexpr Shape kWords{.form = Form::list, .expand = command_words, .element = &kScalar, .merging = Merging::replace};

constexpr Key kUlimitKeys[] = {{"hard", &kInteger}, {"soft", &kInteger}};
constexpr Shape kUlimit{.form = Form::object, .expand = ulimit, .keys = kUlimitKeys, .merging = Merging::replace};
constexpr Shape kUlimits{.form = Form::map, .element = &kUlimit};

// build

constexpr Key kBuildKeys[] = {
    {"additional_contexts", nullptr, kBuildKit},
    {"args", &kPairs},
    {"cache_from", &kTexts},
    {"cache_to", nullptr, kBuildKit},
    {"context", &kPath},
    {"dockerfile", &kText},
    {"dockerfile_inline", &kText},
    {"entitlements", nullptr, kBuildKit},
    {"extra_hosts", &kHosts},
    {"isolation", nullptr, kWindows},
    {"labels", &kPairs},
    {"network", &kText},
    {"no_cache", &kBoolean},
    {"platforms", nullptr, kBuildKit},
    {"privileged", nullptr, kBuildKit},
    {"provenance", nullptr, kBuildKit},
    {"pull", &kBoolean},
    {"sbom", nullptr, kBuildKit},
    {"secrets", nullptr, kBuildKit},
    {"shm_size", &kBytes},
    {"ssh", nullptr, kBuildKit},
    {"tags", &kTexts},
    {"target", &kText},
    {"ulimits", &kUlimits},
};
constexpr Shape kBuild{.form = Form::object, .expand = text_as_context, .keys = kBuildKeys};

// deploy

constexpr Shape kCount{.form = Form::integer, .expand = device_count};
constexpr Key kDeviceRequestKeys[] = {
    {"capabilities", &kTexts}, {"count", &kCount}, {"device_ids", &kTexts}, {"driver", &kText}, {"options", &kPairs}};
constexpr Shape kDeviceRequest{.form = Form::object, .keys = kDeviceRequestKeys};
constexpr Shape kDeviceRequests{.form = Form::list, .element = &kDeviceRequest};
constexpr Shape kGpus{.form = Form::list, .expand = gpu_list, .element = &kDeviceRequest};
constexpr Key kLimitKeys[] = {{"cpus", &kNumber}, {"memory", &kBytes}, {"pids", &kInteger}};
constexpr Shape kLimits{.form = Form::object, .keys = kLimitKeys};
constexpr Key kReservationKeys[] = {{"cpus", nullptr, "the kernel reserves no processors; cpu_shares gives a weight"},
                                    {"devices", &kDeviceRequests},
                                    {"generic_resources", nullptr, kSwarm},
                                    {"memory", &kBytes}};
constexpr Shape kReservations{.form = Form::object, .keys = kReservationKeys};
constexpr Key kResourceKeys[] = {{"limits", &kLimits}, {"reservations", &kReservations}};
constexpr Shape kResources{.form = Form::object, .keys = kResourceKeys};
constexpr Shape kRestartCondition{.form = Form::text, .values = "none on-failure any"};
constexpr Key kRestartPolicyKeys[] = {{"condition", &kRestartCondition},
                                      {"delay", nullptr, "the engine chooses the delay"},
                                      {"max_attempts", &kInteger},
                                      {"window", nullptr, "the engine chooses the window"}};
constexpr Shape kRestartPolicy{.form = Form::object, .keys = kRestartPolicyKeys};
constexpr Shape kDeployMode{.form = Form::text, .values = "replicated"};
constexpr Key kDeployKeys[] = {
    {"endpoint_mode", nullptr, kSwarm},
    {"labels", nullptr, kSwarm},
    {"mode", &kDeployMode},
    {"placement", nullptr, kSwarm},
    {"replicas", &kInteger},
    {"resources", &kResources},
    {"restart_policy", &kRestartPolicy},
    {"rollback_config", nullptr, kSwarm},
    {"update_config", nullptr, kSwarm},
};
constexpr Shape kDeploy{.form = Form::object, .keys = kDeployKeys};

// The smaller parts of a service.

constexpr Shape kCondition{.form = Form::text,
                           .values = "service_started service_healthy service_completed_successfully"};
constexpr Key kDependencyKeys[] = {{"condition", &kCondition}, {"required", &kBoolean}, {"restart", &kBoolean}};
constexpr Shape kDependency{.form = Form::object, .keys = kDependencyKeys};
constexpr Shape kDependencies{.form = Form::map, .expand = dependencies, .element = &kDependency};

constexpr Key kDeviceKeys[] = {{"permissions", &kText}, {"source", &kText}, {"target", &kText}};
constexpr Shape kDevice{.form = Form::object, .expand = device_entry, .keys = kDeviceKeys};
constexpr Shape kDevices{
    .form = Form::list, .element = &kDevice, .merging = Merging::by_identity, .identity = target_identity};

constexpr Shape kEnvFormat{.form = Form::text, .values = "raw"};
constexpr Key kEnvFileKeys[] = {{"format", &kEnvFormat}, {"path", &kPath}, {"required", &kBoolean}};
constexpr Shape kEnvFile{.form = Form::object, .keys = kEnvFileKeys};
constexpr Shape kEnvFiles{.form = Form::list, .expand = env_file_list, .element = &kEnvFile};

constexpr Key kExtendsKeys[] = {{"file", &kPath}, {"service", &kText}};
constexpr Shape kExtends{.form = Form::object, .expand = text_as_service, .keys = kExtendsKeys};

constexpr Shape kHealthTest{
    .form = Form::list, .expand = health_test, .element = &kScalar, .merging = Merging::replace};
constexpr Key kHealthKeys[] = {{"disable", &kBoolean},         {"interval", &kDuration},     {"retries", &kInteger},
                               {"start_interval", &kDuration}, {"start_period", &kDuration}, {"test", &kHealthTest},
                               {"timeout", &kDuration}};
constexpr Shape kHealth{.form = Form::object, .keys = kHealthKeys};

constexpr Key kLoggingKeys[] = {{"driver", &kText}, {"options", &kOptions}};
constexpr Shape kLogging{.form = Form::object, .keys = kLoggingKeys, .merging = Merging::by_driver};

constexpr Key kAttachmentKeys[] = {
    {"aliases", &kTexts},        {"driver_opts", &kOptions}, {"gw_priority", &kInteger},
    {"interface_name", &kText},  {"ipv4_address", &kText},   {"ipv6_address", &kText},
    {"link_local_ips", &kTexts}, {"mac_address", &kText},    {"priority", &kNumber},
};
constexpr Shape kAttachment{.form = Form::object, .keys = kAttachmentKeys};
constexpr Shape kAttachments{.form = Form::map, .expand = names_as_map, .element = &kAttachment};

constexpr Shape kPortMode{.form = Form::text, .values = "host ingress"};
constexpr Shape kProtocol{.form = Form::text, .values = "tcp udp sctp"};
constexpr Key kPortKeys[] = {{"app_protocol", &kText}, {"host_ip", &kText},     {"mode", &kPortMode}, {"name", &kText},
                             {"protocol", &kProtocol}, {"published", &kScalar}, {"target", &kInteger}};
constexpr Shape kPort{.form = Form::object, .keys = kPortKeys};
constexpr Shape kPorts{.form = Form::list,
                       .expand = port_list,
                       .element = &kPort,
                       .merging = Merging::by_identity,
                       .identity = port_identity};

constexpr Key kFileReferenceKeys[] = {
    {"gid", &kScalar}, {"mode", &kInteger}, {"source", &kText}, {"target", &kText}, {"uid", &kScalar}};
constexpr Shape kFileReference{.form = Form::object, .expand = file_reference, .keys = kFileReferenceKeys};
constexpr Shape kFileReferences{
    .form = Form::list, .element = &kFileReference, .merging = Merging::by_identity, .identity = target_identity};

constexpr Shape kMountType{.form = Form::text, .values = "bind volume tmpfs"};
constexpr Key kBindKeys[] = {{"create_host_path", &kBoolean},
                             {"propagation", &kText},
                             {"recursive", nullptr, "binds are always recursive"},
                             {"selinux", &kText}};
constexpr Shape kBind{.form = Form::object, .keys = kBindKeys};
constexpr Key kVolumeOptionKeys[] = {{"labels", &kPairs}, {"nocopy", &kBoolean}, {"subpath", &kText}};
constexpr Shape kVolumeOptions{.form = Form::object, .keys = kVolumeOptionKeys};
constexpr Key kTmpfsKeys[] = {{"mode", &kInteger}, {"size", &kBytes}};
constexpr Shape kTmpfs{.form = Form::object, .keys = kTmpfsKeys};
constexpr Key kMountKeys[] = {
    {"bind", &kBind},         {"consistency", &kText}, {"image", nullptr, "images cannot be mounted"},
    {"read_only", &kBoolean}, {"source", &kText},      {"target", &kText},
    {"tmpfs", &kTmpfs},       {"type", &kMountType},   {"volume", &kVolumeOptions},
};
constexpr Shape kMount{.form = Form::object, .expand = volume_entry, .keys = kMountKeys};
constexpr Shape kMounts{
    .form = Form::list, .element = &kMount, .merging = Merging::by_identity, .identity = target_identity};

constexpr Key kWeightKeys[] = {{"path", &kText}, {"weight", &kInteger}};
constexpr Shape kWeight{.form = Form::object, .keys = kWeightKeys};
constexpr Shape kWeights{.form = Form::list, .element = &kWeight};
constexpr Key kRateKeys[] = {{"path", &kText}, {"rate", &kBytes}};
constexpr Shape kRate{.form = Form::object, .keys = kRateKeys};
constexpr Shape kRates{.form = Form::list, .element = &kRate};
constexpr Key kBlockIoKeys[] = {{"device_read_bps", &kRates},  {"device_read_iops", &kRates},
                                {"device_write_bps", &kRates}, {"device_write_iops", &kRates},
                                {"weight", &kInteger},         {"weight_device", &kWeights}};
constexpr Shape kBlockIo{.form = Form::object, .keys = kBlockIoKeys};

constexpr Shape kCgroup{.form = Form::text, .values = "host private"};
constexpr Shape kPullPolicy{.form = Form::text, .values = "always never missing if_not_present build"};
constexpr Shape kRestart{.form = Form::text, .values = "no always unless-stopped on-failure on-failure:*"};

constexpr Key kServiceKeys[] = {
    {"annotations", &kPairs},
    {"attach", &kBoolean},
    {"blkio_config", &kBlockIo},
    {"build", &kBuild},
    {"cap_add", &kTexts},
    {"cap_drop", &kTexts},
    {"cgroup", &kCgroup},
    {"cgroup_parent", &kText},
    {"command", &kWords},
    {"configs", &kFileReferences},
    {"container_name", &kText},
    {"cpu_count", nullptr, kWindows},
    {"cpu_percent", nullptr, kWindows},
    {"cpu_period", &kInteger},
    {"cpu_quota", &kInteger},
    {"cpu_rt_period", &kInteger},
    {"cpu_rt_runtime", &kInteger},
    {"cpu_shares", &kInteger},
    {"cpus", &kNumber},
    {"cpuset", &kText},
    {"credential_spec", nullptr, kWindows},
    {"depends_on", &kDependencies},
    {"deploy", &kDeploy},
    {"develop", nullptr, "there is no `watch`"},
    {"device_cgroup_rules", &kTexts},
    {"devices", &kDevices},
    {"dns", &kTextOrTexts},
    {"dns_opt", &kTexts},
    {"dns_search", &kTextOrTexts},
    {"domainname", &kText},
    {"entrypoint", &kWords},
    {"env_file", &kEnvFiles},
    {"environment", &kPairs},
    {"expose", &kExposed},
    {"extends", &kExtends},
    {"external_links", &kTexts},
    {"extra_hosts", &kHosts},
    {"gpus", &kGpus},
    {"group_add", &kScalars},
    {"healthcheck", &kHealth},
    {"hostname", &kText},
    {"image", &kText},
    {"init", &kBoolean},
    {"ipc", &kText},
    {"isolation", nullptr, kWindows},
    {"label_file", &kPathOrPaths},
    {"labels", &kPairs},
    {"links", &kTexts},
    {"logging", &kLogging},
    {"mac_address", &kText},
    {"mem_limit", &kBytes},
    {"mem_reservation", &kBytes},
    {"mem_swappiness", &kInteger},
    {"memswap_limit", &kBytes},
    {"models", nullptr, "the engine runs no models"},
    {"network_mode", &kText},
    {"networks", &kAttachments},
    {"oom_kill_disable", &kBoolean},
    {"oom_score_adj", &kInteger},
    {"pid", &kText},
    {"pids_limit", &kInteger},
    {"platform", &kText},
    {"ports", &kPorts},
    {"post_start", nullptr, "hooks are not run; use an entrypoint"},
    {"pre_stop", nullptr, "hooks are not run; use stop_signal"},
    {"privileged", &kBoolean},
    {"profiles", &kTexts},
    {"provider", nullptr, "services are containers"},
    {"pull_policy", &kPullPolicy},
    {"pull_refresh_after", nullptr, "use pull_policy"},
    {"read_only", &kBoolean},
    {"restart", &kRestart},
    {"runtime", &kText},
    {"scale", &kInteger},
    {"secrets", &kFileReferences},
    {"security_opt", &kTexts},
    {"shm_size", &kBytes},
    {"stdin_open", &kBoolean},
    {"stop_grace_period", &kDuration},
    {"stop_signal", &kText},
    {"storage_opt", &kOptions},
    {"sysctls", &kPairs},
    {"tmpfs", &kTextOrTexts},
    {"tty", &kBoolean},
    {"ulimits", &kUlimits},
    {"use_api_socket", nullptr, "whoever has the engine's socket is root on the host; mount it yourself"},
    {"user", &kText},
    {"userns_mode", &kText},
    {"uts", &kText},
    {"volumes", &kMounts},
    {"volumes_from", &kTexts},
    {"working_dir", &kText},
};

// The other sections.

constexpr Key kPoolKeys[] = {
    {"aux_addresses", &kOptions}, {"gateway", &kText}, {"ip_range", &kText}, {"subnet", &kText}};
constexpr Shape kPool{.form = Form::object, .keys = kPoolKeys};
constexpr Shape kPools{.form = Form::list, .element = &kPool};
constexpr Key kIpamKeys[] = {{"config", &kPools}, {"driver", &kText}, {"options", &kOptions}};
constexpr Shape kIpam{.form = Form::object, .keys = kIpamKeys};
constexpr Key kNetworkKeys[] = {
    {"attachable", &kBoolean},  {"driver", &kText},      {"driver_opts", &kOptions}, {"enable_ipv4", &kBoolean},
    {"enable_ipv6", &kBoolean}, {"external", &kBoolean}, {"internal", &kBoolean},    {"ipam", &kIpam},
    {"labels", &kPairs},        {"name", &kText},
};
constexpr Shape kNetwork{.form = Form::object, .expand = external, .keys = kNetworkKeys};
constexpr Shape kNetworks{.form = Form::map, .element = &kNetwork};

constexpr Key kVolumeKeys[] = {
    {"driver", &kText}, {"driver_opts", &kOptions}, {"external", &kBoolean}, {"labels", &kPairs}, {"name", &kText}};
constexpr Shape kVolume{.form = Form::object, .expand = external, .keys = kVolumeKeys};
constexpr Shape kVolumes{.form = Form::map, .element = &kVolume};

constexpr Key kConfigKeys[] = {
    {"content", &kText},
    {"environment", &kText},
    {"external", nullptr, kSwarm},
    {"file", &kPath},
    {"labels", nullptr, kSwarm},
    {"name", &kText},
    {"template_driver", nullptr, kSwarm},
    {"driver", nullptr, kSwarm},
    {"driver_opts", nullptr, kSwarm},
};
constexpr Shape kConfig{.form = Form::object, .keys = kConfigKeys};
constexpr Shape kConfigs{.form = Form::map, .element = &kConfig};

constexpr Key kIncludeKeys[] = {{"env_file", &kPathOrPaths}, {"path", &kPathOrPaths}, {"project_directory", &kPath}};
constexpr Shape kInclude{.form = Form::object, .expand = include_entry, .keys = kIncludeKeys};
constexpr Shape kIncludes{.form = Form::list, .element = &kInclude};

constexpr Shape kServices{.form = Form::map, .element = &kServiceShape};
constexpr Key kProjectKeys[] = {
    {"configs", &kConfigs},   {"include", &kIncludes},  {"models", nullptr, "the engine runs no models"},
    {"name", &kText},         {"networks", &kNetworks}, {"secrets", &kConfigs},
    {"services", &kServices}, {"version", &kScalar},    {"volumes", &kVolumes},
};

}  // namespace

constexpr Shape kServiceShape{.form = Form::object, .keys = kServiceKeys};
constexpr Shape kProjectShape{.form = Form::object, .keys = kProjectKeys};

}  // namespace berth::compose
