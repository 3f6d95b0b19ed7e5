// Ways to read recordings, each under a name.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ok, Refusal, type Model, type Profile } from "../api/client";
import { languageName } from "../format";
import { choicesOf, optionsOf, type Choices } from "../library/choices";
import { JobChoices, useModels, useProfiles } from "../library/JobChoices";
import { t } from "../strings";
import { Button, Dialog, Field, IconButton, Menu, MenuItem, Problem } from "../ui/controls";
import { Form, textIn } from "../ui/Form";
import { Things } from "../ui/Things";

export function Profiles() {
  const profiles = useProfiles();
  return (
    <Things text={t.profilesText} fresh={t.newProfile} error={profiles.error} form={(onDone) => <ProfileForm onDone={onDone} />}>
      {profiles.data?.items.map((profile) => (
        <ProfileRow key={profile.id} profile={profile} />
      ))}
    </Things>
  );
}

function factsOf(profile: Profile, models: readonly Model[]) {
  const { language, model, preset, diarization, speakers } = choicesOf(profile.options);
  return [
    profile.is_default && t.defaultModel,
    language === "auto" ? t.anyLanguage : languageName(language),
    model && (models.find((one) => one.id === model)?.name ?? model),
    preset !== "balanced" && t.presets[preset],
    diarization ? (speakers > 0 ? t.speakersCount(speakers) : t.speakersTold) : t.speakersNotTold,
  ].filter(Boolean);
}

function ProfileRow({ profile }: { profile: Profile }) {
  const client = useQueryClient();
  const models = useModels().data?.items ?? [];
  const [editing, setEditing] = useState(false);
  const again = () => client.invalidateQueries({ queryKey: ["profiles"] });
  const params = { path: { id: profile.id } };
  const makeDefault = useMutation({ mutationFn: () => ok(api.POST("/api/v1/profiles/{id}:set-default", { params })), onSettled: again });
  const remove = useMutation({ mutationFn: () => ok(api.DELETE("/api/v1/profiles/{id}", { params })), onSettled: again });
  return (
    <li>
      <div className="thing">
        <span className="row-title">{profile.name}</span>
        {profile.description && <span>{profile.description}</span>}
        <span className="row-facts">{factsOf(profile, models).join(" · ")}</span>
        <Problem error={makeDefault.error ?? remove.error} />
      </div>
      <Menu label={t.more} trigger={<IconButton icon="more" label={`${t.more}: ${profile.name}`} />}>
        <MenuItem onSelect={() => setEditing(true)}>{t.change}</MenuItem>
        {!profile.is_default && <MenuItem onSelect={() => makeDefault.mutate()}>{t.makeDefault}</MenuItem>}
        <MenuItem danger onSelect={() => remove.mutate()}>
          {t.delete}
        </MenuItem>
      </Menu>
      <Dialog title={t.editProfile} open={editing} onClose={() => setEditing(false)}>
        <EditProfile id={profile.id} onDone={() => setEditing(false)} />
      </Dialog>
    </li>
  );
}

// A profile as it was read, and what tells whether it still is so.
interface Read {
  profile: Profile;
  etag: string;
}
async function read(id: string): Promise<Read> {
  const answer = api.GET("/api/v1/profiles/{id}", { params: { path: { id } } });
  return { profile: await ok(answer), etag: (await answer).response.headers.get("ETag") ?? "" };
}

function EditProfile({ id, onDone }: { id: string; onDone: () => void }) {
  const first = useQuery({ queryKey: ["profile", id], queryFn: () => read(id), gcTime: 0 });
  const [theirs, setTheirs] = useState<Read>();
  const from = theirs ?? first.data;
  if (!from) return first.error ? <Problem error={first.error} /> : <p>{t.loading}</p>;
  return <ProfileForm key={theirs?.etag} from={from} onTheirs={setTheirs} onDone={onDone} />;
}

interface ProfileFormProps {
  from?: Read; // what is edited; nothing where it is a new one
  onTheirs?: (now: Read) => void; // begins anew with what is there now
  onDone: () => void;
}
function ProfileForm({ from, onTheirs, onDone }: ProfileFormProps) {
  const client = useQueryClient();
  // What is typed is a change of this one, whatever becomes of it meanwhile.
  const [base, setBase] = useState(from);
  const [theirs, setTheirs] = useState<Read>();
  const profile = base?.profile;
  const models = useModels().data?.items ?? [];
  const [choices, setChoices] = useState<Choices>(() => choicesOf(profile?.options ?? {}));
  const save = useMutation({
    mutationFn: (form: FormData) => {
      const description = textIn(form, "description");
      const body = {
        name: textIn(form, "name"),
        options: optionsOf(choices, profile?.options),
        description: description || null,
      };
      return base
        ? ok(api.PATCH("/api/v1/profiles/{id}", { params: { path: { id: base.profile.id }, header: { "If-Match": base.etag } }, body }))
        : ok(api.POST("/api/v1/profiles", { body }));
    },
    onError: async (error) => {
      if (!base || !(error instanceof Refusal) || error.status !== 412) return;
      const now = await read(base.profile.id);
      setTheirs(now);
      setBase(now); // whoever saves once more has seen it
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["profiles"] });
      onDone();
    },
  });
  return (
    <Form action={theirs ? t.keepMine : t.save} error={save.error} busy={save.isPending} onSend={(form) => save.mutate(form)}>
      <Field label={t.profileName} name="name" defaultValue={profile?.name} required maxLength={500} autoComplete="off" autoFocus />
      <Field label={t.description} name="description" defaultValue={profile?.description} maxLength={500} autoComplete="off" />
      <JobChoices value={choices} onChange={setChoices} />
      {theirs && (
        <div className="conflict">
          <dl>
            <dt>{t.theirs}</dt>
            <dd>{[theirs.profile.name, theirs.profile.description, ...factsOf(theirs.profile, models)].filter(Boolean).join(" · ")}</dd>
          </dl>
          <Button onClick={() => onTheirs?.(theirs)}>{t.takeTheirs}</Button>
        </div>
      )}
    </Form>
  );
}
